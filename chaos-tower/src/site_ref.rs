//! What a service holds of its site: a reference, or nothing where sites are compiled out.

use std::fmt;

#[cfg(feature = "connection")]
use chaos_core::decision::Asked;
use chaos_core::{Call, Decision, FirstLook, Site, SiteState, decision::WatchedCall};

/// A reference to a site. With `compile-out` it is empty and never armed.
#[derive(Clone, Copy)]
pub(crate) struct SiteRef {
    #[cfg(not(feature = "compile-out"))]
    site: &'static Site,
}

#[cfg(not(feature = "compile-out"))]
impl SiteRef {
    pub(crate) fn new(site: &'static Site) -> Self {
        Self { site }
    }

    #[inline(always)]
    pub(crate) fn is_armed(self) -> bool {
        self.site.is_armed()
    }

    #[inline(always)]
    pub(crate) fn state(self) -> SiteState {
        self.site.state()
    }

    #[inline(always)]
    pub(crate) fn decide_after(self, look: FirstLook, call: &Call<'_>) -> Option<Decision> {
        self.site.decide_after(look, call)
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn decide(self, call: &Call<'_>) -> Option<Decision> {
        self.site.decide(call)
    }

    /// Settles a call of a site where the only rule hits each and may spare it.
    #[inline(always)]
    pub(crate) fn spares_each(self, path: &str) -> bool {
        self.site.spares_each(path)
    }

    /// Begins to measure a call that no rule hits, if its path and what the thread has kept suffice.
    #[inline(always)]
    pub(crate) fn measure_by(self, path: &str) -> Option<WatchedCall> {
        self.site.measure_by(path)
    }

    /// Begins to measure a call for guard rails, if any watch it.
    #[inline(always)]
    pub(crate) fn measure(
        self,
        call: &Call<'_>,
        decision: Option<&Decision>,
    ) -> Option<WatchedCall> {
        self.site.measure(call, decision)
    }

    /// Returns a decision without plans.
    #[cfg(feature = "reqwest")]
    pub(crate) fn decide_nothing(self) -> Decision {
        self.site.decide_nothing()
    }

    #[cfg(feature = "connection")]
    pub(crate) fn has_news(self, asked: Asked) -> bool {
        self.site.has_news(asked)
    }

    #[cfg(feature = "connection")]
    pub(crate) fn decide_news(self, call: &Call<'_>, asked: &mut Asked) -> Option<Decision> {
        self.site.decide_news(call, asked)
    }
}

#[cfg(feature = "compile-out")]
impl SiteRef {
    pub(crate) fn new(_: &'static Site) -> Self {
        Self {}
    }

    #[inline(always)]
    pub(crate) fn is_armed(self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn state(self) -> SiteState {
        SiteState::COMPILED_OUT
    }

    pub(crate) fn decide_after(self, _: FirstLook, _: &Call<'_>) -> Option<Decision> {
        None
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn decide(self, _: &Call<'_>) -> Option<Decision> {
        None
    }

    pub(crate) fn spares_each(self, _: &str) -> bool {
        false
    }

    pub(crate) fn measure_by(self, _: &str) -> Option<WatchedCall> {
        None
    }

    pub(crate) fn measure(self, _: &Call<'_>, _: Option<&Decision>) -> Option<WatchedCall> {
        None
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn decide_nothing(self) -> Decision {
        unreachable!("a site that is compiled out measures nothing")
    }

    #[cfg(feature = "connection")]
    pub(crate) fn has_news(self, _: Asked) -> bool {
        false
    }

    #[cfg(feature = "connection")]
    pub(crate) fn decide_news(self, _: &Call<'_>, _: &mut Asked) -> Option<Decision> {
        None
    }
}

impl fmt::Debug for SiteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(not(feature = "compile-out"))]
        return fmt::Debug::fmt(self.site.name(), f);
        #[cfg(feature = "compile-out")]
        f.write_str("compiled out")
    }
}
