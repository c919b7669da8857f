//! A browser carries any page's wishes to any port. Ours does what its own page asks, and nobody
//! else's; clients that are no browsers notice nothing.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chaos_core::Injector;
use chaos_http_admin::Admin;
use serde_json::json;

use crate::support::port::{Answer, Port, json_request};

/// Every route, with a body that it would take.
const ROUTES: [(&str, &str, &str); 17] = [
    ("GET", "/", ""),
    ("GET", "/v1/status", ""),
    ("GET", "/v1/whoami", ""),
    ("GET", "/v1/sites", ""),
    ("GET", "/v1/rules", ""),
    ("PUT", "/v1/rules", r#"{"rules":[]}"#),
    (
        "PUT",
        "/v1/rules/a",
        r#"{"site":"db.read","faults":[{"status":503}]}"#,
    ),
    ("GET", "/v1/rules/a", ""),
    ("GET", "/v1/rules/a/injections", ""),
    ("PATCH", "/v1/rules/a", "{}"),
    ("POST", "/v1/rules/a/extend", r#"{"by":"5m"}"#),
    ("DELETE", "/v1/rules/a", ""),
    ("POST", "/v1/undo", r#"{"entry":1}"#),
    ("POST", "/v1/halt", r#"{"reason":"x"}"#),
    ("POST", "/v1/resume", r#"{"reason":"x"}"#),
    ("GET", "/v1/audit", ""),
    ("GET", "/healthz", ""),
];

async fn status_with(port: &Port, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::get("/v1/status");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    port.send_as_is(request).await.status
}

fn is_sealed(answer: &Answer) -> bool {
    answer.header("cache-control") == Some("no-store")
        && answer.header("x-content-type-options") == Some("nosniff")
}

#[tokio::test]
async fn every_route_refuses_a_foreign_page_and_takes_its_own() {
    for (name, value, status, field) in [
        ("host", "rebound.example:9900", 421, "Host"),
        ("origin", "http://evil.example", 403, "Origin"),
        ("sec-fetch-site", "cross-site", 403, "Sec-Fetch-Site"),
    ] {
        let port = Port::new();
        // Events would not end, if they began.
        let also_nothing = [
            ("GET", "/none", ""),
            ("POST", "/", ""),
            ("GET", "/v1/events", ""),
            ("GET", "/v1/live", ""),
        ];
        for (method, path, body) in ROUTES.into_iter().chain(also_nothing) {
            let answer = port
                .send(json_request(method, path).header(name, value), body)
                .await;
            let problem = answer.problem(status);
            assert_eq!(problem["field"], field, "{method} {path}");
            assert!(is_sealed(&answer));
        }
        assert_eq!(port.injector.status().generation, 0);
        assert_eq!(port.injector.status().state.as_str(), "idle");
    }
    let port = Port::new();
    for (method, path, body) in ROUTES {
        let request = json_request(method, path)
            .header(header::ORIGIN, "http://localhost:9900")
            .header("sec-fetch-site", "same-origin");
        let answer = port.send(request, body).await;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {}",
            answer.text()
        );
        assert!(is_sealed(&answer));
    }
}

#[tokio::test]
async fn host_must_be_a_name_of_ours_with_any_port() {
    let port = Port::new();
    for (host, expected) in [
        ("localhost", 200),
        ("localhost:9900", 200),
        ("LocalHost:1", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]", 200),
        ("[::1]:9900", 200),
        ("localhost.", 421),
        ("localhost.evil.example", 421),
        ("evil.example", 421),
        ("127.0.0.1.nip.example:9900", 421),
        ("0.0.0.0:9900", 421),
        ("[::]:9900", 421),
        ("evil@localhost", 400),
        ("localhost@evil.example", 400),
        ("localhost/evil", 400),
        ("localhost, evil.example", 400),
        ("", 400),
    ] {
        let status = status_with(&port, &[("host", host)]).await;
        assert_eq!(status, expected, "Host: {host}");
    }
    assert_eq!(status_with(&port, &[]).await, 400);
    let both = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(status_with(&port, &both).await, 400);
}

#[tokio::test]
async fn the_target_of_the_request_must_be_ours_too() {
    let port = Port::new();
    for (target, host, expected) in [
        ("http://localhost:9900/v1/status", "localhost:9900", 200),
        ("http://evil.example/v1/status", "localhost:9900", 421),
        ("http://localhost:9900/v1/status", "evil.example", 421),
    ] {
        let request = Request::get(target).header(header::HOST, host);
        let answer = port.send_as_is(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, expected, "{target} at {host}");
    }
    // HTTP/2 has no other name than this.
    let request = Request::get("http://localhost:9900/v1/status").body(Body::empty());
    port.send_as_is(request.unwrap()).await.expect(200);
}

#[tokio::test]
async fn origin_must_be_the_very_port_that_is_asked() {
    let port = Port::new();
    for (host, origin, expected) in [
        ("localhost:9900", "http://localhost:9900", 200),
        ("LOCALHOST:9900", "http://localhost:9900", 200),
        ("localhost:9900", "https://localhost:9900", 200),
        ("localhost", "http://localhost", 200),
        ("localhost:80", "http://localhost", 200),
        ("localhost", "https://localhost:443", 200),
        ("[::1]:9900", "http://[::1]:9900", 200),
        // Another program's page on this machine.
        ("localhost:9900", "http://localhost:3000", 403),
        ("localhost:9900", "http://localhost", 403),
        // Two names of ours, but not one origin.
        ("localhost:9900", "http://127.0.0.1:9900", 403),
        ("localhost:9900", "null", 403),
        ("localhost:9900", "", 403),
        ("localhost:9900", "localhost:9900", 403),
        ("localhost:9900", "ftp://localhost:9900", 403),
        ("localhost:9900", "file://", 403),
        ("localhost:9900", "http://evil.example", 403),
    ] {
        let headers = [("host", host), ("origin", origin)];
        let status = status_with(&port, &headers).await;
        assert_eq!(status, expected, "{origin} asks {host}");
    }
    let host = ("host", "localhost:9900");
    let two = [
        host,
        ("origin", "http://localhost:9900"),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(status_with(&port, &two).await, 403);
    for site in ["same-origin", "same-site", "none"] {
        assert_eq!(
            status_with(&port, &[host, ("sec-fetch-site", site)]).await,
            200
        );
    }
}

/// A runbook has a link to the console: a browser that follows it sends these, and no `Origin`.
#[tokio::test]
async fn a_link_from_elsewhere_opens_the_console_and_nothing_else_does() {
    let port = Port::new();
    let asks = async |method: &str, headers: &[(&str, &str)]| {
        let mut request = json_request(method, "/").header("sec-fetch-site", "cross-site");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        port.send(request, "").await
    };
    let (navigates, page) = (
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    );
    let opened = asks("GET", &[navigates, page]).await.expect(200);
    assert!(opened.text().starts_with("<!doctype html>"));

    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let answer = asks(method, &[navigates, page]).await;
        assert_eq!(answer.status, 403, "{method}");
    }
    let origin = ("origin", "http://evil.example");
    for headers in [
        &[][..],
        &[navigates],
        &[page],
        &[navigates, ("sec-fetch-dest", "iframe")],
        &[navigates, ("sec-fetch-dest", "empty")],
        &[("sec-fetch-mode", "no-cors"), page],
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        &[navigates, ("sec-fetch-mode", "cors"), page],
        &[navigates, page, ("sec-fetch-dest", "script")],
        &[navigates, page, origin],
    ] {
        asks("GET", headers).await.problem(403);
    }
}

#[tokio::test]
async fn more_hosts_can_be_allowed() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).allow_host("Admin.Example.com");
    let router = admin.router();
    let port = Port { injector, router };
    let host = ("host", "admin.example.com");
    assert_eq!(status_with(&port, &[host]).await, 200);
    assert_eq!(status_with(&port, &[("host", "localhost")]).await, 200);
    let origin = ("origin", "https://admin.example.com");
    assert_eq!(status_with(&port, &[host, origin]).await, 200);
    let origin = ("origin", "https://www.example.com");
    assert_eq!(status_with(&port, &[host, origin]).await, 403);
    let other = ("host", "example.com");
    assert_eq!(status_with(&port, &[other]).await, 421);
}

#[tokio::test]
async fn the_page_runs_its_own_script_and_no_other() {
    let port = Port::new();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = port.get("/").await.expect(200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        let policy = page.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        let nonce = policy.split_once("script-src 'nonce-").unwrap().1;
        let nonce = nonce.split_once('\'').unwrap().0.to_owned();
        assert_eq!(nonce.len(), 32);

        let html = page.text();
        // Nothing stands in the page itself: what it loads has the nonce.
        let nonce_only = format!(r#"nonce="{nonce}""#);
        for line in html.lines() {
            let loads = line.matches("<script").count()
                + line.matches("<style").count()
                + line.matches(r#"rel="stylesheet""#).count()
                + line.matches(r#"rel="modulepreload""#).count();
            assert_eq!(loads, line.matches(&nonce_only).count(), "{line}");
        }
        assert!(html.contains("></script>") && !html.contains("<style"));
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

/// The files that the page at `/` loads, by their paths.
fn loaded(html: &str) -> Vec<String> {
    let addresses = html.split(['\n', '<']).filter(|tag| tag.contains("nonce="));
    let addresses = addresses.filter_map(|tag| {
        let (_, rest) = tag
            .split_once("href=\"")
            .or_else(|| tag.split_once("src=\""))?;
        let (address, _) = rest.split_once('"')?;
        address.strip_prefix('.').map(str::to_owned)
    });
    addresses.collect()
}

#[tokio::test]
async fn files_of_the_page_are_kept_by_browsers_for_as_long_as_they_are_the_same() {
    let port = Port::new();
    let files = loaded(&port.get("/").await.text());
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let answer = port.get(&file).await.expect(200);
        let expected = match file.ends_with(".css") {
            true => "text/css; charset=utf-8",
            false => "text/javascript; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), Some(expected), "{file}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{file}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let tag = answer.header("etag").unwrap().to_owned();
        let again = Request::get(&file).header("if-none-match", &tag);
        let again = port.send(again, "").await.expect(304);
        assert!(again.body.is_empty(), "{file}");
        let other = Request::get(&file).header("if-none-match", "\"0\"");
        port.send(other, "").await.expect(200);
        let foreign = Request::get(&file).header("sec-fetch-site", "cross-site");
        port.send(foreign, "").await.problem(403);
    }
    let problem = port.get("/console/none.js").await.problem(404);
    assert_eq!(problem["field"], "path");
    port.get("/console/%FF").await.problem(404);
    port.get("/console/console.html").await.problem(404);
    port.send(json_request("POST", "/console.css"), "")
        .await
        .problem(405);
}

/// What a rule says comes from whoever may arm; it must stay text on the page.
#[tokio::test]
async fn the_page_holds_nothing_of_the_rules_and_nothing_from_elsewhere() {
    let port = Port::new();
    let rule = json!({
        "site": "db.read", "reason": "<script>alert(1)</script>", "faults": [{ "status": 503 }],
    });
    port.write("PUT", "/v1/rules/a", rule).await.expect(201);
    let html = port.get("/").await.text();
    let mut texts = vec![html.clone()];
    for file in loaded(&html) {
        texts.push(port.get(&file).await.text());
    }
    for text in texts {
        // The namespace of SVG is a name, and no address that anything is loaded from.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for forbidden in [
            "alert(",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "http://",
            "https://",
            " style=",
            " onclick=",
            "localStorage",
        ] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
}
