//! A halt is never refused for what the rules are, a resume is if they are not those that were seen;
//! both are answered with the tag of the rules.

use axum::http::header;
use serde_json::Value;

use crate::support::port::{Answer, Port, failing, json_request};

/// At generation 2.
async fn port_with_rules() -> Port {
    let port = Port::new();
    for path in ["/v1/rules/a", "/v1/rules/b"] {
        port.write("PUT", path, failing("db.read"))
            .await
            .expect(201);
    }
    port
}

async fn post(port: &Port, path: &str, if_match: Option<&str>) -> Answer {
    let mut request = json_request("POST", path);
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    port.send(request, r#"{"reason":"drill"}"#).await
}

async fn state(port: &Port) -> Value {
    port.get("/v1/status").await.json()["state"].clone()
}

#[tokio::test]
async fn halt_takes_any_if_match_and_resume_the_one_in_force() {
    for tag in [None, Some("\"2\""), Some("\"1\""), Some("*"), Some("1")] {
        let port = port_with_rules().await;
        let halted = post(&port, "/v1/halt", tag).await.expect(200);
        assert_eq!(halted.header("etag"), Some("\"2\""));
        assert_eq!(halted.json()["generation"], 2);
        assert_eq!(state(&port).await, "halted", "If-Match: {tag:?}");
    }
    for (tag, expected) in [
        (None, 200),
        (Some("\"2\""), 200),
        (Some("*"), 200),
        (Some("\"1\""), 412),
        (Some("W/\"2\""), 412),
        (Some("2"), 400),
    ] {
        let port = port_with_rules().await;
        post(&port, "/v1/halt", None).await.expect(200);
        let answer = post(&port, "/v1/resume", tag).await;
        if expected == 200 {
            let resumed = answer.expect(200);
            assert_eq!(resumed.header("etag"), Some("\"2\""));
            assert_eq!(state(&port).await, "armed", "If-Match: {tag:?}");
        } else {
            assert_eq!(answer.problem(expected)["field"], "If-Match");
            assert_eq!(state(&port).await, "halted", "If-Match: {tag:?}");
        }
    }
}

#[tokio::test]
async fn a_question_is_no_deed() {
    for query in ["?dry_run=true", "?dry_run=false", "?x"] {
        let port = port_with_rules().await;
        let halt = post(&port, &format!("/v1/halt{query}"), None).await;
        assert_eq!(halt.problem(400)["allowed"], "no parameter");
        assert_eq!(state(&port).await, "armed");
        post(&port, "/v1/halt", None).await.expect(200);
        let resume = post(&port, &format!("/v1/resume{query}"), None).await;
        assert_eq!(resume.problem(400)["allowed"], "no parameter");
        assert_eq!(state(&port).await, "halted");
    }
}
