//! What the macros expand to. It is not part of the public API and may change at any time.

use std::{
    borrow::Cow,
    fmt::{Debug, Display},
};

pub use linkme;

use crate::call::Label;
#[cfg(feature = "tokio")]
pub use crate::macros::pass::{Pass, waiting, waiting_bare};
pub use crate::{
    macros::pass::{armed, armed_in, blocking, blocking_bare},
    site::catalogue::SITES,
};

/// Calls `armed` in a cold function, which keeps everything that an armed site does, evaluating
/// labels included, out of the caller's hot code.
#[cold]
#[inline(never)]
pub fn cold<R>(armed: impl FnOnce() -> R) -> R {
    armed()
}

/// Returns the label of `name = value`.
pub fn text<'a>(name: &'static str, value: &'a (impl AsRef<str> + ?Sized)) -> Label<'a> {
    (name, Cow::Borrowed(value.as_ref()))
}

/// Returns the label of `name = %value`.
pub fn display(name: &'static str, value: &(impl Display + ?Sized)) -> Label<'static> {
    (name, Cow::Owned(value.to_string()))
}

/// Returns the label of `name = ?value`.
pub fn debug(name: &'static str, value: &(impl Debug + ?Sized)) -> Label<'static> {
    (name, Cow::Owned(format!("{value:?}")))
}
