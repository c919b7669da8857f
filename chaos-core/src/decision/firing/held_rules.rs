//! The rules of a site, as a call holds them that is hit.

use std::sync::{Arc, OnceLock};

use crate::{armed::Armed, call::stripe, hub::Hub, rule::parted_list::PartedList};

/// The rules of a site. Aligned, so that the counts of those who hold the ones of different stripes share no cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct HeldRules {
    pub(crate) rules: PartedList<Arc<Armed>>,
    pub(crate) hub: Arc<Hub>,
}

/// The rules of a site, once for each stripe: a call that is hit counts itself among those who hold them, and must not
/// write for that where other threads write. They are made when a call is first hit.
#[derive(Debug, Default)]
pub(crate) struct StripedRules(OnceLock<Box<[OnceLock<Arc<HeldRules>>]>>);

impl StripedRules {
    /// Returns those of this thread, which `make` makes.
    #[inline]
    pub(crate) fn here(&self, make: impl FnOnce() -> HeldRules) -> &Arc<HeldRules> {
        let stripes = self.0.get_or_init(|| {
            let stripes = 0..stripe::count();
            stripes.map(|_| OnceLock::new()).collect()
        });
        stripes[stripe::index()].get_or_init(|| Arc::new(make()))
    }
}

/// A copy is for other rules, and has none yet.
impl Clone for StripedRules {
    fn clone(&self) -> Self {
        Self::default()
    }
}
