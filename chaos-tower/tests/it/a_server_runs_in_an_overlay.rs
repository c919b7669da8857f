//! Tests that run in parallel, each with a server of its own, on one injector: the requests of a server
//! are in its test's overlay, although each connection is a task of its own.

use std::time::Duration;

use axum::{Router, routing::get};
use chaos_core::{Fault, Injector, Latency, Overlay, Rule, inject_async};
use chaos_tower::{InjectLayer, OverlayLayer};
use tower::{Layer, Service, ServiceExt, service_fn};

fn rule(site: &str, fault: Fault) -> Rule {
    Rule::new("r".parse().unwrap(), site.parse().unwrap(), fault)
}

async fn serve(injector: &Injector, overlay: Option<&Overlay>) -> String {
    let inner = injector.clone();
    let handler = async move || {
        let passed = inject_async!(injector: &inner, "db.read").await;
        passed.map_or_else(
            |injected| injected.message().to_owned(),
            |()| "read".to_owned(),
        )
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(InjectLayer::with_injector("http.server", injector));
    let app = match overlay {
        Some(overlay) => app.layer(OverlayLayer::new(overlay)),
        None => app,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

async fn ask(address: &str) -> (u16, String) {
    let answer = reqwest::get(address).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_server_is_hit_by_the_rules_of_its_own_test() {
    let injector = Injector::new();
    let (first, second) = (Overlay::new(&injector), Overlay::new(&injector));
    let servers = [
        serve(&injector, Some(&first)).await,
        serve(&injector, Some(&second)).await,
        serve(&injector, None).await,
    ];
    let down = first.arm(rule("http.server", Fault::status(503).unwrap()));
    // A site in code that the handler passes.
    let lost = second.arm(rule("db.read", Fault::error("lost")));
    for _ in 0..2 {
        assert_eq!(ask(&servers[0]).await.0, 503);
        assert_eq!(ask(&servers[1]).await, (200, "lost".to_owned()));
        assert_eq!(ask(&servers[2]).await, (200, "read".to_owned()));
    }
    down.assert_injected(2);
    lost.assert_injected(2);
    drop(down);
    assert_eq!(ask(&servers[0]).await, (200, "read".to_owned()));
}

/// What a layer decides in `poll_ready`, in `call` and in the future is in the overlay; what overlays are
/// around the call stays open.
#[tokio::test(start_paused = true)]
async fn the_overlay_covers_the_call_and_its_future_and_those_around_it() {
    let injector = Injector::new();
    let (inside, around) = (Overlay::new(&injector), Overlay::new(&injector));
    let minute = Latency::fixed(Duration::from_secs(60)).unwrap();
    let slow = inside.arm(rule("in.future", Fault::latency(minute)));
    let lost = around.arm(rule("in.call", Fault::error("lost")));
    let service = service_fn(|()| {
        let injector = injector.clone();
        let decided = chaos_core::inject!(injector: &injector, "in.call");
        async move {
            inject_async!(injector: &injector, "in.future").await?;
            decided
        }
    });
    let mut service = OverlayLayer::new(&inside).layer(service);
    assert!(service.ready().await.unwrap().call(()).await.is_ok());
    let ready = service.ready().await.unwrap();
    around
        .run(async { ready.call(()).await })
        .await
        .unwrap_err();
    slow.assert_injected(2);
    lost.assert_injected(1);
}
