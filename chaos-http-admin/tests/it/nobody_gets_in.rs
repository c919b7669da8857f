//! Whoever has no token, a wrong one or one of too little worth gets nothing, changes nothing, and
//! stands in the audit; whoever has a good one gets in whatever the others do.

use chaos_core::Injector;
use chaos_http_admin::{AccessTokens, Admin, Role, ServeError};
use serde_json::json;

use crate::support::wire::{ANN, BOB, EVE, Running, tokens};

const RULE: &str = r#"{"site":"db.read","faults":[{"status":503}]}"#;
const REASON: &str = r#"{"reason":"x"}"#;

/// Every route that needs a role, with a body that it takes. They stand so that each succeeds after
/// those before it.
const ROUTES: [(&str, &str, Role); 20] = [
    ("GET /v1/status", "", Role::Observe),
    ("GET /v1/whoami", "", Role::Observe),
    ("GET /v1/sites", "", Role::Observe),
    ("GET /v1/sites/a/seen", "", Role::Observe),
    ("GET /v1/rules", "", Role::Observe),
    ("PUT /v1/rules", r#"{"rules":[]}"#, Role::Arm),
    ("PUT /v1/rules/a", RULE, Role::Arm),
    ("GET /v1/rules/a", "", Role::Observe),
    ("PATCH /v1/rules/a", "{}", Role::Arm),
    ("PUT /v1/rules/a/outcomes", r#"{"sites":["a"]}"#, Role::Arm),
    ("GET /v1/rules/a/outcomes", "", Role::Observe),
    ("GET /v1/rules/a/why?for=0", "", Role::Observe),
    ("DELETE /v1/rules/a/outcomes", "", Role::Arm),
    ("POST /v1/rules/a/extend", r#"{"by":"5m"}"#, Role::Arm),
    ("POST /v1/rules/a/release", "", Role::Stop),
    ("DELETE /v1/rules/a", "", Role::Arm),
    ("POST /v1/undo", r#"{"entry":1}"#, Role::Arm),
    ("POST /v1/halt", REASON, Role::Stop),
    ("POST /v1/acknowledge", REASON, Role::Arm),
    ("POST /v1/resume", REASON, Role::Arm),
];

fn is_untouched(port: &Running) -> bool {
    let status = port.injector.status();
    status.generation == 0 && status.state.as_str() == "idle"
}

#[tokio::test]
async fn no_token() {
    let port = Running::guarded().await;
    for (line, body, _) in ROUTES {
        for none in [
            "",
            "Authorization: Basic YW5uOnNlY3JldA==\r\n",
            "Authorization: Bearer \r\n",
        ] {
            let headers = format!("Host: localhost\r\n{none}");
            let answer = port.ask(line, &headers, body).await;
            let problem = answer.problem(401);
            assert_eq!(problem["field"], "Authorization", "{line}");
            assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
        }
    }
    assert!(is_untouched(&port));
    let writes = ROUTES
        .iter()
        .filter(|(.., needs)| *needs > Role::Observe)
        .count();
    let refusals = port.refusals();
    assert_eq!(refusals.len(), 3 * writes, "{refusals:?}");
    let expected = "PUT /v1/rules: 401, the request has no access token".to_owned();
    assert_eq!(refusals[0], ("stranger".to_owned(), expected));
    // What says nothing of the service needs nothing.
    let page = port
        .ask("GET /", "Host: localhost\r\n", "")
        .await
        .expect(200);
    assert!(page.text().contains("Access token"));
    port.ask("GET /healthz", "Host: localhost\r\n", "")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_token() {
    for wrong in [
        "not-one-of-the-secrets",
        &ANN[..ANN.len() - 1],
        &format!("{ANN}x"),
        &ANN.to_uppercase(),
        "ann",
    ] {
        let port = Running::guarded().await;
        for line in ["GET /v1/rules", "POST /v1/halt"] {
            let answer = port.ask_as(wrong, line, REASON).await;
            answer.problem(401);
            let challenge = answer.header("www-authenticate").unwrap();
            assert_eq!(challenge, "Bearer error=\"invalid_token\"");
        }
        assert!(is_untouched(&port));
        // A failed login is one on whatever route.
        assert_eq!(port.refusals().len(), 2);
    }
    // Neither the second of two nor anywhere else than in the header.
    let port = Running::guarded().await;
    let query = format!("GET /v1/rules?access_token={ANN}");
    port.ask(&query, "Host: localhost\r\n", "")
        .await
        .problem(401);
    let two = format!(
        "Host: localhost\r\nAuthorization: Bearer {}\r\nAuthorization: Bearer {ANN}\r\n",
        "x".repeat(20)
    );
    port.ask("GET /v1/rules", &two, "").await.problem(401);
}

#[tokio::test]
async fn a_wrong_role() {
    for (name, secret, role) in [
        ("eve", EVE, Role::Observe),
        ("bob", BOB, Role::Stop),
        ("ann", ANN, Role::Arm),
    ] {
        let port = Running::guarded().await;
        let injector = &port.injector;
        let _ = injector.site("a");
        let rule = chaos_core::wire::rule_from_json(RULE.as_bytes(), Some("a")).unwrap();
        injector.put(rule);
        injector.observe_outcomes("a", ["a"]).unwrap();
        let before = injector.status().generation;
        let mut refused = 0;
        for (line, body, needs) in ROUTES {
            if line.starts_with("DELETE") || line == "PUT /v1/rules" {
                // The rule stays for the others.
                continue;
            }
            let answer = port.ask_as(secret, line, body).await;
            if needs <= role {
                assert!(
                    (200..300).contains(&answer.status()),
                    "{line}: {}",
                    answer.text()
                );
                continue;
            }
            let problem = answer.problem(403);
            assert!(
                problem["detail"].as_str().unwrap().contains(name),
                "{problem}"
            );
            assert!(
                problem["allowed"]
                    .as_str()
                    .unwrap()
                    .contains(needs.as_str())
            );
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
            refused += 1;
        }
        assert_eq!(injector.status().generation == before, role < Role::Arm);
        let refusals = port.refusals();
        assert_eq!(refusals.len(), refused);
        assert!(
            refusals.iter().all(|(actor, _)| actor == name),
            "{refusals:?}"
        );
        // The one that may stop has stopped, and cannot undo it.
        assert_eq!(
            injector.status().state.as_str() == "halted",
            role == Role::Stop
        );
    }
}

#[tokio::test]
async fn a_foreign_host() {
    let port = Running::guarded().await;
    let headers = |host: &str| format!("Host: {host}\r\nAuthorization: Bearer {ANN}\r\n");
    for host in [
        "rebound.example",
        "rebound.example:9900",
        "localhost.rebound.example",
        "192.0.2.7",
    ] {
        for (line, body) in [
            ("GET /v1/rules", ""),
            ("POST /v1/halt", REASON),
            ("GET /", ""),
        ] {
            port.ask(line, &headers(host), body).await.problem(421);
        }
    }
    assert!(is_untouched(&port));
    let refusals = port.refusals();
    assert_eq!(refusals.len(), 4, "{refusals:?}");
    assert!(
        refusals[0].1.starts_with("POST /v1/halt: 421"),
        "{refusals:?}"
    );
    for host in ["localhost", "127.0.0.1:9900", "[::1]"] {
        port.ask("GET /v1/rules", &headers(host), "")
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_cross_site_page() {
    let port = Running::guarded().await;
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:1\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
    ] {
        // Even one who has got hold of a token.
        let headers = format!("Host: localhost:9900\r\nAuthorization: Bearer {ANN}\r\n{foreign}");
        port.ask("POST /v1/halt", &headers, REASON)
            .await
            .problem(403);
        port.ask("GET /v1/rules", &headers, "").await.problem(403);
    }
    assert!(is_untouched(&port));
    assert_eq!(port.refusals().len(), 4);
    // A form cannot say that it is JSON, and a preflight is not answered. Where no token is asked for, that
    // is all that keeps an old browser, which names no origin, from halting.
    let injector = Injector::new();
    let open = Running::start(&injector, Admin::new(injector.clone())).await;
    for (content, body) in [
        ("text/plain", REASON),
        ("text/plain", ""),
        ("application/x-www-form-urlencoded", ""),
    ] {
        let length = body.len();
        let form =
            format!("Host: localhost\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n");
        let form = format!("POST /v1/halt HTTP/1.1\r\n{form}Connection: close\r\n\r\n{body}");
        open.exchange(form.as_bytes()).await.problem(415);
    }
    assert!(is_untouched(&open));
    let preflight = port
        .ask("OPTIONS /v1/halt", "Host: localhost\r\n", "")
        .await;
    assert_eq!(preflight.status(), 405);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert!(is_untouched(&port));
}

#[tokio::test]
async fn guessing_is_answered_by_a_wait_and_locks_nobody_out() {
    let port = Running::guarded().await;
    let mut limited = 0;
    for guess in 0..40 {
        let secret = format!("guess-number-{guess:08}");
        let answer = port.ask_as(&secret, "GET /v1/rules", "").await;
        if guess < 10 {
            answer.problem(401);
        } else if answer.status() == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=7).contains(&wait), "{wait}");
            assert_eq!(answer.header("connection").as_deref(), Some("close"));
            limited += 1;
        }
        // The good one comes from the same address.
        port.ask_as(ANN, "GET /v1/rules", "").await.expect(200);
    }
    // One is let through every six seconds.
    assert!(limited > 20, "{limited}");
    // No token is no guess.
    port.ask("GET /v1/rules", "Host: localhost\r\n", "")
        .await
        .problem(401);
}

#[tokio::test]
async fn strangers_cannot_wash_out_the_audit() {
    let port = Running::guarded().await;
    port.ask_as(ANN, "PUT /v1/rules/a", RULE).await.expect(201);
    let attempt = "POST /v1/halt HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Many on one connection, as fast as they go.
    for _ in 0..15 {
        let close = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let bytes = attempt.repeat(100) + close;
        port.exchange(bytes.as_bytes()).await;
    }
    let audit = port.injector.audit().after(0);
    assert_eq!(audit.missed, 0);
    assert_eq!(audit.entries[0].actor.name(), "ann");
    let written = port.refusals().len();
    assert!((60..100).contains(&written), "{written}");
    // Whom we know is written down whatever strangers do.
    port.ask_as(EVE, "POST /v1/halt", REASON).await.problem(403);
    assert_eq!(port.refusals().last().unwrap().0, "eve");
}

#[tokio::test]
async fn a_public_address_takes_tokens_and_a_word_on_plaintext() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone());
    for address in ["0.0.0.0:0", "[::]:0"] {
        let address = address.parse().unwrap();
        let refused = admin.bind(address).unwrap_err();
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
        let nobody = admin.clone().access_tokens(AccessTokens::new());
        let refused = nobody.bind(address).unwrap_err();
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
        let plain = admin.clone().access_tokens(tokens());
        let refused = plain.bind(address).unwrap_err();
        assert!(matches!(refused, ServeError::Plaintext(_)), "{refused}");
    }
    let admin = admin
        .access_tokens(tokens())
        .allow_plaintext_access_tokens();
    let port = Running::start_at("0.0.0.0:0", &injector, admin).await;
    port.ask_as(ANN, "GET /v1/rules", "").await.expect(200);
    // It answers to the address that was connected to, and to no name.
    let address = port.address.ip();
    let headers = |host: &str| format!("Host: {host}\r\nAuthorization: Bearer {ANN}\r\n");
    port.ask("GET /v1/rules", &headers(&address.to_string()), "")
        .await
        .expect(200);
    port.ask("GET /v1/rules", &headers("shop.example"), "")
        .await
        .problem(421);
    port.ask("GET /v1/rules", "Host: localhost\r\n", "")
        .await
        .problem(401);
}

#[tokio::test]
async fn an_empty_list_of_tokens_opens_no_door() {
    let injector = Injector::new();
    let port = Running::start(
        &injector,
        Admin::new(injector.clone()).access_tokens(AccessTokens::new()),
    )
    .await;
    port.ask("GET /v1/rules", "Host: localhost\r\n", "")
        .await
        .problem(401);
    port.ask_as(ANN, "GET /v1/rules", "").await.problem(401);
}

#[tokio::test]
async fn writes_are_signed_with_name_address_and_reason() {
    let port = Running::guarded().await;
    let own = r#"{"site":"db.read","reason":"slow today","faults":[{"status":503}]}"#;
    for (line, body, status, reason) in [
        ("PUT /v1/rules/a", own, 201, Some("slow today")),
        (
            "PUT /v1/rules/a?reason=GameDay%2012",
            own,
            200,
            Some("GameDay 12"),
        ),
        (
            "PATCH /v1/rules/a",
            r#"{"rate":0.5}"#,
            200,
            Some("slow today"),
        ),
        (
            "PATCH /v1/rules/a?reason=less",
            r#"{"rate":0.25}"#,
            200,
            Some("less"),
        ),
        (
            "PUT /v1/rules?reason=all",
            r#"{"rules":[]}"#,
            200,
            Some("all"),
        ),
        ("PUT /v1/rules/b", RULE, 201, None),
        ("POST /v1/rules/b/release?reason=go", "", 204, Some("go")),
        ("DELETE /v1/rules/b?reason=done", "", 204, Some("done")),
        (
            "POST /v1/halt",
            r#"{"reason":"enough"}"#,
            200,
            Some("enough"),
        ),
        (
            "POST /v1/resume",
            r#"{"reason":"again"}"#,
            200,
            Some("again"),
        ),
    ] {
        port.ask_as(ANN, line, body).await.expect(status);
        let entry = port.injector.audit().after(0).entries.pop().unwrap();
        assert_eq!(entry.actor.name(), "ann", "{line}");
        assert_eq!(entry.actor.reason(), reason, "{line}");
        assert!(entry.actor.address().unwrap().starts_with("127.0.0.1:"));
    }
    let before = port.injector.audit().last();
    // A dry run is none, and neither is a look.
    port.ask_as(
        ANN,
        "PUT /v1/rules?dry_run=true&reason=x",
        r#"{"rules":[]}"#,
    )
    .await
    .expect(200);
    port.ask_as(ANN, "GET /v1/rules", "").await.expect(200);
    assert_eq!(port.injector.audit().last(), before);
    port.ask_as(ANN, "DELETE /v1/rules/b?reason=", "")
        .await
        .problem(400);
    port.ask_as(ANN, "DELETE /v1/rules/b?because=x", "")
        .await
        .problem(400);
}

#[tokio::test]
async fn every_refused_write_stands_in_the_audit() {
    let port = Running::guarded().await;
    let auth = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
    let stale = format!("{auth}If-Match: \"7\"\r\n");
    let large = format!(
        "{auth}Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n"
    );
    for (line, headers, body, status) in [
        ("PUT /v1/rules/a", &auth, "{", 400),
        ("PUT /v1/rules/a", &stale, RULE, 412),
        ("PUT /v1/rules/a", &large, "", 413),
        ("DELETE /v1/rules/a", &auth, "", 404),
        ("POST /v1/halt?now=1", &auth, REASON, 400),
    ] {
        let before = port.refusals().len();
        port.ask(line, headers, body).await.problem(status);
        let (actor, what) = port.refusals().pop().unwrap();
        assert_eq!(port.refusals().len(), before + 1, "{line}");
        assert_eq!(actor, "ann");
        let path = line.split('?').next().unwrap();
        assert!(what.starts_with(&format!("{path}: {status}, ")), "{what}");
    }
    assert_eq!(port.injector.status().generation, 0);
    // Looking in vain is no write.
    let before = port.refusals().len();
    port.ask("GET /v1/rules/none", &auth, "").await.problem(404);
    assert_eq!(port.refusals().len(), before);
}

#[tokio::test]
async fn without_tokens_anyone_here_may_do_everything() {
    let injector = Injector::new();
    let _ = injector.site("a");
    let port = Running::start(&injector, Admin::new(injector.clone())).await;
    for (line, body, _) in ROUTES {
        let answer = port.ask(line, "Host: localhost\r\n", body).await;
        assert!(
            (200..300).contains(&answer.status()),
            "{line}: {}",
            answer.text()
        );
    }
    let entry = &injector.audit().after(0).entries[0];
    assert_eq!(entry.actor.name(), "anyone");
    assert!(entry.actor.address().unwrap().starts_with("127.0.0.1:"));
    // Where no token is asked for, one is no harm.
    let answer = port.ask_as(ANN, "GET /v1/status", "").await.expect(200);
    assert_eq!(answer.json()["state"], json!("idle"));
}

/// A dry run is a question to a route; who may not ask it is refused as for the write.
#[tokio::test]
async fn a_refused_role_is_written_down_in_a_dry_run_too() {
    let port = Running::guarded().await;
    let headers = format!("Host: localhost\r\nAuthorization: Bearer {EVE}\r\n");
    for line in [
        "PUT /v1/rules/a?dry_run=true",
        "PUT /v1/rules?dry_run=true&reason=x",
        "POST /v1/tokens?dry_run=true",
        "POST /v1/resume?dry_run=true",
    ] {
        let before = port.refusals().len();
        port.ask(line, &headers, RULE).await.problem(403);
        assert_eq!(port.refusals().len(), before + 1, "{line}");
    }
}
