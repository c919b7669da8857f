//! The kinds of sites, and at which of them a fault can happen.

/// How calls reach a [`Site`](crate::Site).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteKind {
    /// An [`inject!`](crate::inject) in plain code. A delay blocks the thread.
    Sync,
    /// An `inject_async!` in async code. A delay suspends the task.
    Async,
    /// A layer around a service or a client of HTTP or gRPC.
    Layer,
    /// The connections that a listener accepts, or that a connector makes.
    Connection,
}

impl SiteKind {
    /// Returns the kind's name in JSON, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Layer => "layer",
            Self::Connection => "connection",
        }
    }

    /// Returns whether it is a kind of code.
    pub(crate) const fn is_code(self) -> bool {
        matches!(self, Self::Sync | Self::Async)
    }
}

/// A set of kinds of sites; `code` stands for both kinds of code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteKinds {
    code: bool,
    requests: bool,
    connections: bool,
}

impl SiteKinds {
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

    /// Returns the kinds that are in `self` or in `other`.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self {
            code: self.code || other.code,
            requests: self.requests || other.requests,
            connections: self.connections || other.connections,
        }
    }

    /// Returns the kinds in words, for a sentence.
    pub(crate) fn in_words(self) -> String {
        let kinds = [
            (self.code, "code"),
            (self.requests, "a layer"),
            (self.connections, "a listener or a connector"),
        ];
        let kinds: Vec<_> = kinds.iter().filter(|(is_in, _)| *is_in).collect();
        let names: Vec<_> = kinds.iter().map(|(_, name)| *name).collect();
        names.join(", ")
    }

    /// Returns whether `kind` is in the set.
    pub(crate) const fn have(self, kind: SiteKind) -> bool {
        match kind {
            SiteKind::Sync | SiteKind::Async => self.code,
            SiteKind::Layer => self.requests,
            SiteKind::Connection => self.connections,
        }
    }
}
