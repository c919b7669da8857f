//! The routes work under any prefix of someone else's router, and leave the rest of it alone.

use axum::{Router, routing::get};
use chaos_core::Injector;
use chaos_http_admin::Admin;
use serde_json::json;

use crate::support::port::{Port, failing};

fn under(nest: impl FnOnce(Router, Router) -> Router) -> Port {
    let injector = Injector::new();
    let service = Router::new().route("/products", get(async || "products"));
    let router = nest(service, Admin::new(injector.clone()).router());
    Port { injector, router }
}

#[tokio::test]
async fn under_a_prefix() {
    for (port, pages) in [
        (
            under(|service, admin| service.nest("/chaos", admin)),
            &["/chaos"][..],
        ),
        (
            under(|service, admin| service.nest("/chaos/", admin)),
            &["/chaos/"],
        ),
        (
            under(|service, admin| service.nest_service("/chaos", admin)),
            &["/chaos", "/chaos/"],
        ),
        (
            under(|service, admin| service.nest("/ops", Router::new().nest("/chaos", admin))),
            &["/ops/chaos"],
        ),
    ] {
        for page in pages {
            let html = port.get(page).await.expect(200);
            assert!(html.text().starts_with("<!doctype html>"), "{page}");
            let base = page.trim_end_matches('/');
            let at = |path: &str| format!("{base}{path}");
            // A browser finds what a page names from the folder of the page, whatever a proxy has put before it.
            let (folder, last) = page.rsplit_once('/').unwrap();
            let from = if last.is_empty() {
                "."
            } else {
                &format!("./{last}")
            };
            for file in ["/console.css", "/console/main.js"] {
                let named = format!("{from}{file}");
                assert!(html.text().contains(&format!("\"{named}\"")), "{page}");
                let found = named.replacen('.', folder, 1);
                assert_eq!(found, at(file));
                port.get(&found).await.expect(200);
            }
            port.write("PUT", &at("/v1/rules/a"), failing("db.read"))
                .await
                .expect(201);
            let patch = json!({ "enabled": false });
            port.write("PATCH", &at("/v1/rules/a"), patch)
                .await
                .expect(200);
            assert_eq!(
                port.get(&at("/v1/rules")).await.json()["rules"][0]["id"],
                "a"
            );
            assert_eq!(port.get(&at("/v1/rules/a/injections")).await.text(), "0");
            port.write("DELETE", &at("/v1/rules/a"), json!(null))
                .await
                .expect(204);
            // axum drops the fallback of a router that is nested twice; its own 404 is one too.
            port.get(&at("/v1/none")).await.expect(404);
            port.write("POST", &at("/v1/rules"), json!({}))
                .await
                .problem(405);

            let foreign = axum::http::Request::get(at("/v1/status")).header("host", "evil.example");
            port.send(foreign, "").await.problem(421);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_under_a_prefix_too() {
    let port = under(|service, admin| service.nest("/chaos", admin));
    port.get("/chaos/v1/none").await.problem(404);
}

#[tokio::test]
async fn the_rest_of_the_router_is_as_it_was() {
    let port = under(|service, admin| service.nest("/chaos", admin));
    let foreign = axum::http::Request::get("/products").header("host", "shop.example");
    let answer = port.send(foreign, "").await.expect(200);
    assert_eq!(answer.text(), "products");
    assert_eq!(answer.header("cache-control"), None);
    let none = port.get("/none").await.expect(404);
    assert!(none.body.is_empty(), "the service's own 404");
}
