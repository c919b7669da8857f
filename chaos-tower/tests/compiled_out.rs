//! With the feature `compile-out` the layer passes everything through, and its future is the inner
//! one to the byte; without it, the layer injects. A program of its own, as it is built with that feature,
//! too.

use std::{convert::Infallible, mem::size_of};

use axum::body::Body;
use chaos_core::{COMPILED_OUT, Fault, Injector, Rule};
use chaos_tower::InjectLayer;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

#[tokio::test]
async fn the_layer_is_gone() {
    let injector = Injector::new();
    let fault = Fault::status(503).unwrap();
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "out".parse().unwrap(),
        fault,
    ));
    let inner =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let service = InjectLayer::with_injector("out", &injector).layer(inner);
    if COMPILED_OUT {
        fn sizes<A: Service<Request<Body>>, B: Service<Request<Body>>>(
            _: &A,
            _: &B,
        ) -> (usize, usize) {
            (size_of::<A::Future>(), size_of::<B::Future>())
        }
        let (with, without) = sizes(&service, &inner);
        assert_eq!(with, without);
        assert_eq!(size_of_val(&service), size_of_val(&inner));
    }
    let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
    let expected = match COMPILED_OUT {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    assert_eq!(answer.status(), expected);
}
