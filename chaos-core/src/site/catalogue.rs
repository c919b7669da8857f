//! The list of macro sites. The linker puts it together, so a site is known before its first call.
//!
//! Where a linker drops the list, a site still registers on its first pass.

use linkme::distributed_slice;

use crate::site::Site;

/// Every site of the process's own injector that a macro made in this binary.
#[doc(hidden)]
#[distributed_slice]
#[linkme(crate = linkme)]
pub static SITES: [&'static Site];

/// Returns the sites in the linker's list.
pub(crate) fn linked() -> impl Iterator<Item = &'static Site> {
    SITES.iter().copied()
}
