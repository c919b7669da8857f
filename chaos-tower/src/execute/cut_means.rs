//! `CutMeans`: how a call of a stack can be cut off.

use std::any::TypeId;

use chaos_core::{Cuts, plan::CutKind};
use http::{Extensions, Method, Version, request::Parts};

use crate::{connection::Connection, surface::sealed::Sealed};

/// How a call can be cut off, other than with its connection.
///
/// A surface that cannot return an error returns a body that fails, which nobody polls in an answer to HEAD:
/// HTTP/1 servers do not, and axum's router drops it. An HTTP/2 connection carries other streams, so it is not
/// closed for one.
#[derive(Clone, Copy)]
pub(crate) struct CutMeans {
    has_errors: bool,
    /// Whether the body of an answer to HEAD over HTTP/2 is polled.
    has_streams: bool,
    /// Whether the call is one of a client. A request that a proxy forwards came on a connection, which is that
    /// of its visitor.
    is_client: bool,
}

impl CutMeans {
    /// Returns those of the surface `M` with requests of the body type `A` and responses of the body type `B`.
    /// `has_errors`: it can return an error.
    pub(crate) fn of<M: Sealed, A: 'static, B: 'static>(has_errors: bool) -> Self {
        // A server of hyper reads another body.
        let is_framework_body = is_axum_body::<A>() || is_tonic_body::<A>();
        Self {
            has_errors,
            has_streams: !is_axum_body::<A>() && !is_axum_body::<B>(),
            is_client: has_errors && (M::IS_OF_CLIENTS || is_framework_body),
        }
    }

    /// Whether the call is one of a client.
    pub(crate) fn is_client(self) -> bool {
        self.is_client
    }

    /// Returns which faults can cut off a call of this method, version and extensions.
    pub(crate) fn cuts(self, method: &Method, version: Version, extensions: &Extensions) -> Cuts {
        let is_http2 = version >= Version::HTTP_2;
        if self.has_errors || method != Method::HEAD || is_http2 && self.has_streams {
            return Cuts::All;
        }
        match (Connection::of(extensions).is_known(), is_http2) {
            (false, _) => Cuts::None,
            (true, true) => Cuts::Resets,
            (true, false) => Cuts::All,
        }
    }

    /// Returns whether a call can be cut off.
    pub(crate) fn can_cut(self, kind: CutKind, head: &Parts) -> bool {
        self.cuts(&head.method, head.version, &head.extensions)
            .has(kind == CutKind::Reset)
    }

    /// Returns the connection that is cut with a call of these extensions.
    pub(crate) fn connection(self, extensions: &Extensions) -> Connection {
        match self.is_client {
            true => Connection::of(&Extensions::new()),
            false => Connection::of(extensions),
        }
    }
}

fn is_axum_body<B: 'static>() -> bool {
    let body = TypeId::of::<B>();
    #[cfg(feature = "axum")]
    return body == TypeId::of::<axum::body::Body>();
    #[cfg(not(feature = "axum"))]
    {
        let _ = body;
        false
    }
}

fn is_tonic_body<B: 'static>() -> bool {
    let body = TypeId::of::<B>();
    #[cfg(feature = "tonic")]
    return body == TypeId::of::<tonic::body::Body>();
    #[cfg(not(feature = "tonic"))]
    {
        let _ = body;
        false
    }
}
