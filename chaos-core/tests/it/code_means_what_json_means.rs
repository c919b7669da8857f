//! A word in a rule that is made in code means what it means in JSON.

use std::panic::catch_unwind;

use chaos_core::{Matcher, Text, matcher::Exemptions, wire::rule_from_value};
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
        (
            Matcher::new().host(Text::suffix(".Example.com")),
            json!({ "host": { "suffix": ".Example.com" } }),
        ),
        (
            Matcher::new().host(Text::prefix("API.")),
            json!({ "host": { "prefix": "API." } }),
        ),
    ];
    for (in_code, in_json) in cases {
        assert_eq!(in_code, read(in_json.clone()), "{in_json}");
    }
}

#[test]
fn a_text_alone_within_another_condition() {
    let not = |text: &str| Text::Not(Box::new(text.into()));
    let any = |texts: [&str; 2]| Text::AnyOf(texts.map(Text::from).into());
    let cases = [
        (
            Matcher::new().path(not("/orders/{id}")),
            json!({ "path": { "not": "/orders/{id}" } }),
        ),
        (
            Matcher::new().path(any(["/a/{id}", "/b/{*rest}"])),
            json!({ "path": ["/a/{id}", "/b/{*rest}"] }),
        ),
        (
            Matcher::new().path(Text::Not(Box::new(any(["/a/{id}", "/b"])))),
            json!({ "path": { "not": ["/a/{id}", "/b"] } }),
        ),
        (
            Matcher::new().path(Text::from("/a/{id}")),
            json!({ "path": "/a/{id}" }),
        ),
        (
            Matcher::new().host(any(["API.example.com", "b.example.com"])),
            json!({ "host": ["API.example.com", "b.example.com"] }),
        ),
        (
            Matcher::new().grpc(any(["shop.v1.Orders/*", "shop.v1.Carts/Get"])),
            json!({ "grpc": ["shop.v1.Orders/*", "shop.v1.Carts/Get"] }),
        ),
        (
            Matcher::new().method(not("GET")),
            json!({ "method": { "not": "GET" } }),
        ),
        (
            Matcher::new().header("x-tenant", any(["acme", "globex"])),
            json!({ "headers": { "x-tenant": ["acme", "globex"] } }),
        ),
    ];
    for (in_code, in_json) in cases {
        assert_eq!(in_code, read(in_json.clone()), "{in_json}");
    }
}

#[test]
fn an_exempt_path_is_a_route() {
    let exempt = Exemptions::new().path("/tenants/{id}/status");
    assert_eq!(
        exempt.paths(),
        [Text::route("/tenants/{id}/status").unwrap()]
    );
}

#[test]
fn what_json_refuses_panics_and_names_the_field() {
    type Make = fn() -> Matcher;
    let cases: [(&str, Make); 10] = [
        ("path: ", || Matcher::new().path("/orders/{id")),
        ("path: ", || Matcher::new().path("orders")),
        ("method: ", || Matcher::new().method("get")),
        ("host: ", || Matcher::new().host("example.com:80")),
        ("grpc: ", || Matcher::new().grpc("Orders")),
        ("headers: ", || Matcher::new().header("x tenant", "acme")),
        ("path: ", || Matcher::new().path(Text::prefix("orders"))),
        ("grpc: ", || Matcher::new().grpc(Text::prefix("/shop.v1"))),
        ("path: ", || {
            Matcher::new().path(Text::Not(Box::new("/orders/{id".into())))
        }),
        ("host: ", || {
            Matcher::new().host(Text::AnyOf(["a.example".into(), "b:80".into()].into()))
        }),
    ];
    for (field, make) in cases {
        let panic = catch_unwind(make).unwrap_err();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.starts_with(field), "{said}");
    }
}
