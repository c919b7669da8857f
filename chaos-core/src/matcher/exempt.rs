//! Calls that are left alone whatever the rules say: health checks, and what a site declares.

use crate::{call::Call, matcher::text::Text};

/// Which calls of a site no rule may hit. They still count as matched, and have their number.
///
/// A service that fails its health checks is taken out of service, and then nothing else can be seen of
/// what was injected. So the site of a layer leaves them alone unless it is told otherwise.
///
/// ```
/// use chaos_core::{Exemptions, Injector, Text};
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

/// Where health checks are asked for, by the customs of Kubernetes, and of those before it.
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

/// gRPC's health checking protocol.
const GRPC_HEALTH: &str = "/grpc.health.v1.Health/";

impl Exemptions {
    /// Health checks: `/health`, `/healthz`, `/live`, `/livez`, `/ready`, `/readyz`, `/health/live` and
    /// `/health/ready`, and gRPC's `grpc.health.v1.Health`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            health_checks: true,
            paths: Vec::new(),
        }
    }

    /// None at all.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            health_checks: false,
            paths: Vec::new(),
        }
    }

    /// Calls with such a path.
    #[must_use]
    pub fn path(mut self, path: Text) -> Self {
        self.paths.push(path);
        self
    }

    /// Whether health checks are exempt.
    #[must_use]
    pub const fn health_checks(&self) -> bool {
        self.health_checks
    }

    /// The paths that are exempt besides.
    #[must_use]
    pub fn paths(&self) -> &[Text] {
        &self.paths
    }

    pub(crate) fn have(&self, call: &Call<'_>) -> bool {
        let Some(path) = call.path() else {
            return false;
        };
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
