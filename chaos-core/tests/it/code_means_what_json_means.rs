//! A word in a rule that is made in code means what it means in JSON.

use std::panic::catch_unwind;

use chaos_core::{Matcher, Text, wire::rule_from_value};
use serde_json::{Value, json};

fn read(matching: Value) -> Matcher {
    let rule = json!({ "site": "http.server", "match": matching, "faults": [{ "error": "lost" }] });
    rule_from_value(rule, Some("r")).unwrap().matcher().clone()
}

#[test]
fn a_condition_that_is_a_text_alone() {
    let name = "acme".to_owned();
    let cases = [
        (
            Matcher::new().path("/orders/{id}"),
            json!({ "path": "/orders/{id}" }),
        ),
        (Matcher::new().path("/rate"), json!({ "path": "/rate" })),
        (Matcher::new().method("POST"), json!({ "method": "POST" })),
        (
            Matcher::new().host("API.example.com"),
            json!({ "host": "API.example.com" }),
        ),
        (
            Matcher::new().grpc("shop.v1.Orders/*"),
            json!({ "grpc": "shop.v1.Orders/*" }),
        ),
        (
            Matcher::new().grpc("shop.v1.Orders/Place"),
            json!({ "grpc": "shop.v1.Orders/Place" }),
        ),
        (
            Matcher::new().header("x-tenant", &name),
            json!({ "headers": { "x-tenant": "acme" } }),
        ),
        (
            Matcher::new().query("beta", "1"),
            json!({ "query": { "beta": "1" } }),
        ),
        (
            Matcher::new().label("table", "{id}"),
            json!({ "labels": { "table": "{id}" } }),
        ),
        // A condition that says what it is.
        (
            Matcher::new().path(Text::prefix("/v1/")),
            json!({ "path": { "prefix": "/v1/" } }),
        ),
        (
            Matcher::new().label("table", Text::Not(Box::new("orders".into()))),
            json!({ "labels": { "table": { "not": "orders" } } }),
        ),
    ];
    for (in_code, in_json) in cases {
        assert_eq!(in_code, read(in_json.clone()), "{in_json}");
    }
}

#[test]
fn what_json_refuses_panics_and_names_the_field() {
    type Make = fn() -> Matcher;
    let cases: [(&str, Make); 6] = [
        ("path: ", || Matcher::new().path("/orders/{id")),
        ("path: ", || Matcher::new().path("orders")),
        ("method: ", || Matcher::new().method("get")),
        ("host: ", || Matcher::new().host("example.com:80")),
        ("grpc: ", || Matcher::new().grpc("Orders")),
        ("headers: ", || Matcher::new().header("x tenant", "acme")),
    ];
    for (field, make) in cases {
        let panic = catch_unwind(make).unwrap_err();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.starts_with(field), "{said}");
    }
}
