//! What a service holds of its site: a reference, or, compiled out, nothing to carry around.

use chaos_core::{Call, Decision, Site};

#[cfg(not(feature = "compile-out"))]
#[derive(Clone, Copy)]
pub(crate) struct Aim(&'static Site);

#[cfg(not(feature = "compile-out"))]
impl Aim {
    pub(crate) fn at(site: &'static Site) -> Self {
        Self(site)
    }

    #[inline(always)]
    pub(crate) fn is_armed(self) -> bool {
        self.0.is_armed()
    }

    #[inline(always)]
    pub(crate) fn decide(self, call: &Call<'_>) -> Option<Decision> {
        self.0.decide(call)
    }
}

#[cfg(not(feature = "compile-out"))]
impl std::fmt::Debug for Aim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.0.name(), f)
    }
}

#[cfg(feature = "compile-out")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim;

#[cfg(feature = "compile-out")]
impl Aim {
    pub(crate) fn at(_: &'static Site) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn is_armed(self) -> bool {
        false
    }

    pub(crate) fn decide(self, _: &Call<'_>) -> Option<Decision> {
        None
    }
}
