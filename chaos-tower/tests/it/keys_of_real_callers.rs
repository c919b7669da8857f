//! Keys that only a connection knows: the peer of a request, and health checks that are let be.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use chaos_core::{Injector, Text, matcher::Exemptions, wire};
use chaos_tower::InjectLayer;

async fn serve(rule: &str, exempt: Option<Exemptions>) -> (Injector, String) {
    let injector = Injector::new();
    injector.put(wire::rule_from_json(rule.as_bytes(), Some("r")).unwrap());
    let layer = InjectLayer::with_injector("http.server", &injector);
    if let Some(exempt) = exempt {
        layer.site().exempt(exempt);
    }
    let app = Router::new()
        .route("/{*any}", get(async || "hello"))
        .layer(layer)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (injector, address)
}

/// All of 127.0.0.0/8 is this machine, so one client can have many addresses.
#[tokio::test]
async fn a_peer_is_hit_always_or_never() {
    let (_injector, address) = serve(
        r#"{ "site": "http.server", "key": "peer", "rate": 0.5, "faults": [{ "status": 503 }] }"#,
        None,
    )
    .await;
    let mut seen = Vec::new();
    for host in 2..22 {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            // A new connection, from another port, each time.
            let from = std::net::Ipv4Addr::new(127, 0, 0, host);
            let client = reqwest::Client::builder().local_address(Some(from.into()));
            let answer = client
                .build()
                .unwrap()
                .get(format!("{address}/a"))
                .send()
                .await;
            statuses.push(answer.unwrap().status().as_u16());
        }
        assert!(
            statuses.iter().all(|status| *status == statuses[0]),
            "{statuses:?}"
        );
        seen.push(statuses[0]);
    }
    assert!(seen.contains(&200) && seen.contains(&503), "{seen:?}");
}

#[tokio::test]
async fn health_checks_pass_unless_the_site_says_otherwise() {
    let rule = r#"{ "site": "http.server", "faults": [{ "status": 503 }] }"#;
    let status = async |address: &str, path: &str| {
        let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
        answer.status().as_u16()
    };
    let (_default, address) = serve(rule, None).await;
    assert_eq!(status(&address, "/healthz").await, 200);
    assert_eq!(status(&address, "/healthzz").await, 503);
    let (_none, address) = serve(rule, Some(Exemptions::none())).await;
    assert_eq!(status(&address, "/healthz").await, 503);
    let internal = Exemptions::none().path(Text::prefix("/internal/"));
    let (_own, address) = serve(rule, Some(internal)).await;
    assert_eq!(status(&address, "/internal/a").await, 200);
    assert_eq!(status(&address, "/healthz").await, 503);
}
