//! Which kinds of site a fault can happen at.

/// How calls reach a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteKind {
    /// `inject!`: plain code, which a delay blocks.
    Sync,
    /// `inject_async!`.
    Async,
    /// A layer around a service.
    Layer,
    /// The connections that a listener accepts, or a connector makes.
    Connection,
}

impl SiteKind {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Layer => "layer",
            Self::Connection => "connection",
        }
    }
}

/// Kinds of sites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surfaces {
    code: bool,
    requests: bool,
    connections: bool,
}

impl Surfaces {
    pub(crate) const NONE: Self = Self::new(false, false, false);
    pub(crate) const ALL: Self = Self::new(true, true, true);
    pub(crate) const CODE_AND_REQUESTS: Self = Self::new(true, true, false);
    pub(crate) const REQUESTS: Self = Self::new(false, true, false);
    pub(crate) const REQUESTS_AND_CONNECTIONS: Self = Self::new(false, true, true);

    const fn new(code: bool, requests: bool, connections: bool) -> Self {
        Self {
            code,
            requests,
            connections,
        }
    }

    /// Those of either.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self {
            code: self.code || other.code,
            requests: self.requests || other.requests,
            connections: self.connections || other.connections,
        }
    }

    pub(crate) const fn have(self, kind: SiteKind) -> bool {
        match kind {
            SiteKind::Sync | SiteKind::Async => self.code,
            SiteKind::Layer => self.requests,
            SiteKind::Connection => self.connections,
        }
    }
}
