//! No fault sets or removes a header that frames a message: the peer would read the next message from within
//! this one, which is response smuggling.

use chaos_core::{
    RuleError,
    fault::{HeaderEdit, HttpAnswer},
    wire,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn read(fault: &serde_json::Value) -> Result<(), RuleError> {
    let rule = json!({"id": "r", "site": "http.server", "faults": [fault]});
    wire::rule_from_json(rule.to_string().as_bytes(), None).map(drop)
}

fn refused(fault: &serde_json::Value, field: &str) {
    let error = read(fault).expect_err(&fault.to_string());
    assert_eq!(error.field(), field, "{fault}: {error}");
    assert!(error.problem().contains("frames the message"), "{error}");
    assert!(error.allowed().contains("header"), "{error}");
}

#[test]
fn a_document_cannot_change_what_frames_a_message() {
    for name in FRAMING {
        for name in [name.to_owned(), name.to_uppercase()] {
            for on in ["request", "response"] {
                let set = json!({"headers": {"set": {&name: "5"}, "on": on}});
                refused(&set, "faults[0].headers.set");
                let remove = json!({"headers": {"remove": ["etag", &name], "on": on}});
                refused(&remove, "faults[0].headers.remove");
            }
            let status = json!({"status": {"code": 503, "headers": {&name: "5"}}});
            refused(&status, "faults[0].status.headers");
            let chosen = json!({"one_of": [{"fault": {"headers": {"set": {&name: "5"}}}}]});
            refused(&chosen, "faults[0].one_of[0].fault.headers.set");
        }
    }
}

#[test]
fn nor_can_code() {
    for name in FRAMING.map(HeaderName::from_static) {
        let five = HeaderValue::from_static("5");
        let edits = [
            HeaderEdit::new().set(name.clone(), five.clone()),
            HeaderEdit::new().remove(name.clone()),
        ];
        for edit in edits {
            let error = edit.unwrap_err();
            assert!(error.problem().starts_with(name.as_str()), "{error}");
        }
        let headers = HeaderMap::from_iter([(name, five)]);
        assert!(HttpAnswer::new(503).unwrap().headers(headers).is_err());
    }
}

/// Headers that only look alike are a fault's to change.
#[test]
fn the_others_can_be_changed() {
    for name in [
        "content-type",
        "content-encoding",
        "host",
        "vary",
        "x-connection",
    ] {
        read(&json!({"headers": {"set": {name: "5"}, "remove": [name]}})).unwrap();
        read(&json!({"status": {"code": 503, "headers": {name: "5"}}})).unwrap();
    }
}
