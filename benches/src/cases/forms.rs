//! The forms that cost more than the plain ones: macros with an explicit injector, and the layer of rule tokens.

use axum::body::Body;
use chaos_core::{Injected, Injector, inject, token::TokenKey};
use chaos_tower::{OpenOverlay, TokenLayer};
use http::Request;
use tower::Layer;

use crate::{
    case::{Case, Run},
    cases::{http as requests, macros as functions},
    rules::{a_thousand_elsewhere, never_firing},
    service::{Opaque, Plain, future_size, opaque},
};

const SITE: &str = "bench.explicit";

pub(super) fn cases() -> Vec<Case> {
    if chaos_core::COMPILED_OUT {
        return Vec::new();
    }
    let mut cases = vec![
        Case::new("inject! with an injector, 1000 rules elsewhere", || {
            explicit(a_thousand_elsewhere)
        })
        .over(functions::BARE)
        .at_most(120),
        Case::new("inject! with an injector, armed, does not fire", || {
            explicit(|injector| {
                injector.put(never_firing("never", SITE));
            })
        })
        .over(functions::BARE)
        .at_most(120),
    ];
    let tokens = [
        Case::new("TokenLayer, no header", || {
            requests::calls_of(tokens(), requests::request)
        })
        .over(requests::BARE)
        .at_most(24)
        .future(future_size(&tokens(), &bodied))
        .future_at_most(8),
        Case::new("TokenLayer, six headers without a token", || {
            requests::calls_of(tokens(), requests::with_headers)
        })
        .over(requests::BARE_HEADERS)
        .at_most(120),
    ];
    cases.extend(tokens.map(|case| case.calls(20_000)));
    cases
}

/// Passes a site of an injector that is named in the code.
fn explicit(arm: fn(&Injector)) -> Run {
    fn pass(injector: &Injector, n: u64) -> Result<u64, Injected> {
        inject!(injector: injector, SITE)?;
        Ok(n)
    }
    let injector = Injector::new();
    arm(&injector);
    functions::calls_of(move |n| pass(&injector, n))
}

fn tokens() -> OpenOverlay<Opaque<Plain>> {
    let key = TokenKey::new(b"a key for benches alone, not secret").expect("32 bytes or more");
    TokenLayer::with_injector(key, &Injector::new()).layer(opaque(Plain))
}

fn bodied() -> Request<Body> {
    requests::request().map(|()| Body::empty())
}
