//! No fault sets or removes a header that frames a message: the peer would read the next message from within
//! this one, which is response smuggling.

use chaos_core::{
    RuleError,
    fault::{GrpcCode, GrpcStatus, HeaderEdit, HttpAnswer},
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
            let grpc = json!({"grpc": {"code": 14, "metadata": {&name: "5"}}});
            refused(&grpc, "faults[0].grpc.metadata");
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
        let status = GrpcStatus::new(GrpcCode::new(14).unwrap(), "");
        let error = status.metadata(name.clone(), "5").unwrap_err();
        assert_eq!(error.field(), "metadata", "{error}");
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

#[test]
fn metadata_of_a_status_has_names_and_values_of_metadata() {
    let with =
        |name: &str, value: &str| read(&json!({"grpc": {"code": 14, "metadata": {name: value}}}));
    for (name, value) in [
        ("grpc-retry-pushback-ms", "100"),
        ("X-Upper", "~ a b !"),
        ("google.rpc.errorinfo-bin", "CA4SAm5v"),
        ("padded-bin", "CA4SAm4="),
        ("nothing-bin", ""),
        ("bin", "not base64!"),
        ("nothing", ""),
    ] {
        with(name, value).unwrap_or_else(|error| panic!("{name}: {value}: {error}"));
    }
    for (name, value, problem) in [
        ("grpc-status", "0", "set by the status"),
        ("Grpc-Status", "0", "set by the status"),
        ("grpc-message", "a", "set by the status"),
        ("grpc-status-details-bin", "CA4SAm5v", "set by the status"),
        ("content-type", "application/grpc", "set by the status"),
        ("a!", "1", "no name of metadata"),
        (":status", "1", "no header name"),
        ("a b", "1", "no header name"),
        ("a-bin", "not base64!", "a-bin is not base64"),
        ("a-bin", "A", "a-bin is not base64"),
        ("a", " 1", "no value"),
        ("a", "1 ", "no value"),
        ("a", "ä", "no value"),
        ("a", "1\r\nb: 2", "no value"),
        ("a", "1\t2", "no value"),
    ] {
        let error = with(name, value).expect_err(name);
        assert_eq!(error.field(), "faults[0].grpc.metadata", "{error}");
        assert!(error.problem().contains(problem), "{error}: no {problem:?}");
        assert!(error.allowed().contains("base64"), "{error}");
    }
    let error = read(&json!({"grpc": {"code": 14, "metadata": {"a": "1", "A": "2"}}}));
    assert!(error.unwrap_err().problem().contains("occurs twice"));
}
