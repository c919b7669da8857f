//! A rule of a site, as a call holds it that is hit.

use std::sync::{Arc, OnceLock};

use crate::{armed::Armed, call::stripe, hub::Hub};

/// A rule. Aligned, so that the counts of those who hold the ones of different stripes share no cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct HeldRule {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
}

/// The most rules of a site that are held once for each stripe. Where there are more, hits spread over them, and a list
/// for each stripe would take more memory than it saves time.
const MOST: usize = 128;

/// The rules of a site, once for each stripe if they are few: a call that is hit counts itself among those who hold its rule, and must not
/// write for that where other threads write. They are made when a call is first hit.
#[derive(Debug, Default)]
pub(crate) struct StripedRules(OnceLock<Box<[OnceLock<HeldHere>]>>);

/// The rules of one stripe.
type HeldHere = Box<[OnceLock<Arc<HeldRule>>]>;

impl StripedRules {
    /// Returns the rule of this thread at a position among `len`, which `make` makes.
    #[inline]
    pub(crate) fn here(
        &self,
        at: usize,
        len: usize,
        make: impl FnOnce() -> HeldRule,
    ) -> &Arc<HeldRule> {
        let stripes = self.0.get();
        let stripe = if len > MOST {
            0
        } else {
            stripe::index_at_once()
        };
        let here = stripes.and_then(|stripes| stripes.get(stripe)?.get());
        match here.and_then(|here| here.get(at)?.get()) {
            Some(held) => held,
            None => self.make(at, len, make),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self, at: usize, len: usize, make: impl FnOnce() -> HeldRule) -> &Arc<HeldRule> {
        let stripes = (self.0).get_or_init(|| empty(stripe::count()));
        let stripe = if len > MOST { 0 } else { stripe::index() };
        let here = stripes[stripe].get_or_init(|| empty(len));
        here[at].get_or_init(|| Arc::new(make()))
    }
}

fn empty<T>(len: usize) -> Box<[OnceLock<T>]> {
    (0..len).map(|_| OnceLock::new()).collect()
}

/// A copy is for other rules, and has none yet.
impl Clone for StripedRules {
    fn clone(&self) -> Self {
        Self::default()
    }
}
