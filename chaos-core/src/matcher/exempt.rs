//! Calls that no rule may hit: health checks, and the paths that a site declares.

use crate::{
    call::site_kind::SiteKind,
    matcher::{self, plain, text::Text},
};

/// The calls of a site that no rule may hit. They still count as matched, and have an ordinal.
///
/// A service that fails its health checks is taken out of rotation, which hides every other effect
/// of an injection. The sites of layers therefore exempt health checks by default.
///
/// ```
/// use chaos_core::{Injector, Text, matcher::Exemptions};
///
/// let injector = Injector::new();
/// let site = injector.site("http.server");
/// site.exempt(Exemptions::new().path(Text::prefix("/internal/")));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Exemptions {
    health_checks: bool,
    paths: Vec<Text>,
}

/// The paths of health checks by the conventions of Kubernetes, and of its predecessors.
const HEALTH_CHECKS: &[&str] = &[
    "/health",
    "/health/live",
    "/health/ready",
    "/healthz",
    "/live",
    "/livez",
    "/ready",
    "/readyz",
];

/// The prefix of the paths of gRPC's health checking protocol.
const GRPC_HEALTH: &str = "/grpc.health.v1.Health/";

impl Exemptions {
    /// Exempts health checks: `/health`, `/healthz`, `/live`, `/livez`, `/ready`, `/readyz`,
    /// `/health/live`, `/health/ready`, and gRPC's `grpc.health.v1.Health`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            health_checks: true,
            paths: Vec::new(),
        }
    }

    /// Exempts no call.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            health_checks: false,
            paths: Vec::new(),
        }
    }

    /// Returns what a site of this kind exempts, unless it has set something else.
    pub(crate) const fn usual_at(kind: SiteKind) -> Self {
        match kind {
            SiteKind::Layer => Self::new(),
            _ => Self::none(),
        }
    }

    /// Returns whether a call with this path may be exempt at a site of this kind that has set nothing else: few paths
    /// begin as those of health checks do.
    #[inline]
    pub(crate) fn usual_may_have(kind: SiteKind, path: &str) -> bool {
        Self::usual_at(kind).health_checks && begins_as_health_check(path)
    }

    /// Exempts the calls whose path satisfies `path`, besides those exempt so far. A text alone is a route, as with
    /// [`Matcher::path`](crate::Matcher::path).
    ///
    /// # Panics
    /// Panics if `path` can be satisfied by no path: a text alone that is no route, or a prefix without a `/`.
    #[must_use]
    #[track_caller]
    pub fn path(mut self, path: impl Into<Text>) -> Self {
        self.paths.push(matcher::text("path", path, plain::path));
        self
    }

    /// Returns whether health checks are exempt.
    #[must_use]
    pub const fn health_checks(&self) -> bool {
        self.health_checks
    }

    /// Returns the conditions on paths that were added with [`path`](Self::path).
    #[must_use]
    pub fn paths(&self) -> &[Text] {
        &self.paths
    }

    /// Returns whether a call with this path is exempt.
    pub(crate) fn have(&self, path: &str) -> bool {
        self.health_checks && is_health_check(path)
            || (self.paths.iter()).any(|exempt| exempt.matches(&|| [path].into_iter()))
    }
}

impl Default for Exemptions {
    fn default() -> Self {
        Self::new()
    }
}

fn is_health_check(path: &str) -> bool {
    HEALTH_CHECKS.contains(&path) || path.starts_with(GRPC_HEALTH)
}

#[inline]
fn begins_as_health_check(path: &str) -> bool {
    matches!(path.as_bytes(), [b'/', b'g' | b'h' | b'l' | b'r', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_health_checks_begin_as_such() {
        for path in HEALTH_CHECKS.iter().chain([&GRPC_HEALTH]) {
            assert!(begins_as_health_check(path), "{path}");
            assert!(Exemptions::new().have(path), "{path}");
        }
    }
}
