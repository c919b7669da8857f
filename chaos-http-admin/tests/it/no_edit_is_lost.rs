//! Writes that meet each other: none is lost, and none undoes what its author had not seen.

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::port::{Port, failing, json_request};

/// Runs `writes` at the same time, on as many threads as there are.
async fn at_once<F>(writes: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = writes.map(tokio::spawn).collect();
    let answers = join_all(tasks).await;
    answers.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_patches_without_if_match_all_take_effect() {
    let port = Port::new();
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    // Each adds a label of its own to the one rule.
    let patch = |n: usize| {
        let port = port.clone();
        async move {
            let label = json!({ "match": { "labels": { format!("label-{n:02}"): "x" } } });
            port.write("PATCH", "/v1/rules/a", label).await.expect(200)
        }
    };
    let answers = at_once((0..50).map(patch)).await;

    let rule = port.get("/v1/rules/a").await.json();
    let labels = rule["match"]["labels"].as_object().unwrap();
    assert_eq!(labels.len(), 50);
    // And each was an edit of its own.
    let mut tags: Vec<_> = answers.iter().filter_map(|it| it.header("etag")).collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 50);
    assert_eq!(port.rules().await["generation"], 51);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_writes_with_one_tag_exactly_one_wins() {
    let port = Port::new();
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    for method in ["PATCH", "PUT"] {
        let tag = port
            .get("/v1/rules/a")
            .await
            .header("etag")
            .unwrap()
            .to_owned();
        let write = |n: usize| {
            let (port, tag) = (port.clone(), tag.clone());
            async move {
                let mut rule = failing("db.read");
                rule["reason"] = json!(n.to_string());
                let request = json_request(method, "/v1/rules/a").header(header::IF_MATCH, tag);
                let answer = port.send(request, rule.to_string()).await;
                (answer.status, rule["reason"].clone())
            }
        };
        let answers = at_once((0..20).map(write)).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|(status, _)| *status == StatusCode::OK);
        assert_eq!(won.len(), 1);
        assert!(
            lost.iter()
                .all(|(status, _)| *status == StatusCode::PRECONDITION_FAILED)
        );
        assert_eq!(port.get("/v1/rules/a").await.json()["reason"], won[0].1);
    }
    assert_eq!(port.rules().await["generation"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_puts_of_a_new_rule_exactly_one_made_it() {
    let port = Port::new();
    let put = |_| {
        let port = port.clone();
        async move {
            port.write("PUT", "/v1/rules/a", failing("db.read"))
                .await
                .status
        }
    };
    let answers = at_once((0..20).map(put)).await;
    let made = answers
        .iter()
        .filter(|status| **status == StatusCode::CREATED);
    assert_eq!(made.count(), 1);
    assert!(answers.iter().all(StatusCode::is_success));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_puts_that_ask_for_a_new_rule_exactly_one_succeeds() {
    let port = Port::new();
    let put = |_| {
        let port = port.clone();
        async move {
            let request = json_request("PUT", "/v1/rules/a").header(header::IF_NONE_MATCH, "*");
            port.send(request, failing("db.read").to_string()).await
        }
    };
    let answers = at_once((0..20).map(put)).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!((made.len(), refused.len()), (1, 19));
    for answer in refused {
        assert_eq!(answer.problem(412)["field"], "If-None-Match");
    }
    assert_eq!(port.rules().await["generation"], 1);
    // And in a dry run, with both preconditions, and with what is neither.
    for (path, tag, expected) in [
        ("/v1/rules/a?dry_run=true", "*", 412),
        ("/v1/rules/b?dry_run=true", " * ", 200),
        ("/v1/rules/b", "\"1\"", 400),
        ("/v1/rules/b", "", 400),
    ] {
        let request = json_request("PUT", path).header(header::IF_NONE_MATCH, tag);
        let answer = port.send(request, failing("db.read").to_string()).await;
        assert_eq!(answer.status, expected, "{path} {tag}");
    }
    let both = json_request("PUT", "/v1/rules/b")
        .header(header::IF_MATCH, "*")
        .header(header::IF_NONE_MATCH, "*");
    let answer = port.send(both, failing("db.read").to_string()).await;
    assert_eq!(answer.problem(412)["field"], "If-Match");
    assert_eq!(port.rules().await["generation"], 1);
}

#[tokio::test]
async fn if_match_is_read_as_rfc_9110_writes_it() {
    // At generation 1, with a rule `here` and none `gone`.
    let put = |id: &str| ("PUT", format!("/v1/rules/{id}"), failing("db.read"));
    let patch = |id: &str| ("PATCH", format!("/v1/rules/{id}"), json!({ "rate": 0.5 }));
    let delete = |id: &str| ("DELETE", format!("/v1/rules/{id}"), Value::Null);
    let all = || ("PUT", "/v1/rules".to_owned(), json!({ "rules": [] }));
    for ((method, path, body), tag, expected) in [
        (put("here"), r#""1""#, 200),
        (put("here"), r#""0", "1""#, 200),
        (put("here"), r#""0""#, 412),
        (put("here"), r#"W/"1""#, 412),
        (put("here"), r#""01""#, 412),
        (put("here"), "*", 200),
        (put("gone"), "*", 412),
        (put("gone"), r#""1""#, 412),
        (patch("here"), r#""1""#, 200),
        (patch("here"), "*", 200),
        (patch("here"), r#"W/"1""#, 412),
        (patch("gone"), "*", 404),
        (patch("gone"), r#""0""#, 404),
        (delete("here"), r#""1""#, 204),
        (delete("here"), "*", 204),
        (delete("here"), r#""2""#, 412),
        (delete("gone"), "*", 404),
        (all(), r#""1""#, 200),
        (all(), "*", 200),
        (all(), r#""0""#, 412),
    ] {
        let port = Port::new();
        port.write("PUT", "/v1/rules/here", failing("db.read"))
            .await
            .expect(201);
        let request = json_request(method, &path).header(header::IF_MATCH, tag);
        let answer = port.send(request, body.to_string()).await;
        assert_eq!(answer.status, expected, "{method} {path} if {tag}");
        let generation = if answer.status.is_success() { 2 } else { 1 };
        assert_eq!(port.rules().await["generation"], generation);
    }
}

#[tokio::test]
async fn a_tag_from_a_write_or_a_read_serves_the_next_write() {
    let port = Port::new();
    let made = port
        .write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    let with = async |method: &str, tag: &str, body: &str| {
        let request = json_request(method, "/v1/rules/a").header(header::IF_MATCH, tag);
        port.send(request, body.to_owned()).await
    };
    let off = with(
        "PATCH",
        made.header("etag").unwrap(),
        r#"{"enabled":false}"#,
    )
    .await
    .expect(200);
    let on = with("PATCH", off.header("etag").unwrap(), r#"{"enabled":true}"#)
        .await
        .expect(200);
    with("DELETE", off.header("etag").unwrap(), "")
        .await
        .problem(412);
    with("DELETE", on.header("etag").unwrap(), "")
        .await
        .expect(204);
}
