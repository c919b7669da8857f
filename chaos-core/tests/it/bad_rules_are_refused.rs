//! Anything that is not a rule is refused with the field it failed at and what is allowed there.

use chaos_core::wire::{rule_from_json, rules_from_json};

/// (what, document, field, part of the problem, part of what is allowed)
const BAD: &[(&str, &str, &str, &str, &str)] = &[
    ("no JSON", "rate", "", "expected value", "JSON object"),
    (
        "truncated",
        r#"{"id":"r","site":"#,
        "site",
        "EOF",
        "site name",
    ),
    ("a list", "[]", "", "sequence", "an object"),
    (
        "trailing",
        r#"{"id":"r","site":"s","faults":[{"status":503}]} x"#,
        "",
        "trailing",
        "nothing after",
    ),
    (
        "match as a list",
        r#"{"id":"r","site":"s","match":["GET"],"faults":[{"status":503}]}"#,
        "match",
        "sequence",
        "labels",
    ),
    (
        "fault as a list",
        r#"{"id":"r","site":"s","faults":[["1s"]]}"#,
        "faults[0]",
        "sequence",
        "any of latency",
    ),
    (
        "no id",
        r#"{"site":"s","faults":[{"status":503}]}"#,
        "id",
        "missing",
        "1 to 128",
    ),
    (
        "no site",
        r#"{"id":"r","faults":[{"status":503}]}"#,
        "site",
        "missing",
        "site name",
    ),
    (
        "no faults",
        r#"{"id":"r","site":"s"}"#,
        "faults",
        "missing",
        "at least one",
    ),
    (
        "empty faults",
        r#"{"id":"r","site":"s","faults":[]}"#,
        "faults",
        "empty",
        "at least one",
    ),
    (
        "unknown field",
        r#"{"id":"r","site":"s","rat":1,"faults":[{"status":503}]}"#,
        "rat",
        "unknown field",
        "`rate`",
    ),
    (
        "unknown match",
        r#"{"id":"r","site":"s","match":{"pth":"/"},"faults":[{"status":503}]}"#,
        "match.pth",
        "unknown field",
        "`path`",
    ),
    (
        "unknown fault",
        r#"{"id":"r","site":"s","faults":[{"latenzy":"1s"}]}"#,
        "faults[0].latenzy",
        "unknown field",
        "`latency`",
    ),
    (
        "twice",
        r#"{"id":"r","site":"s","rate":1,"rate":0,"faults":[{"status":503}]}"#,
        "rate",
        "duplicate",
        "0 to 1",
    ),
    (
        "empty id",
        r#"{"id":"","site":"s","faults":[{"status":503}]}"#,
        "id",
        "empty",
        "1 to 128",
    ),
    (
        "id",
        r#"{"id":"a/b","site":"s","faults":[{"status":503}]}"#,
        "id",
        "'/'",
        "A-Z",
    ),
    (
        "bad glob",
        r#"{"id":"r","site":"d*","faults":[{"status":503}]}"#,
        "site",
        "d*",
        "whole part",
    ),
    (
        "rate above",
        r#"{"id":"r","site":"s","rate":1.5,"faults":[{"status":503}]}"#,
        "rate",
        "1.5",
        "0 to 1",
    ),
    (
        "rate below",
        r#"{"id":"r","site":"s","rate":-0.1,"faults":[{"status":503}]}"#,
        "rate",
        "-0.1",
        "0 to 1",
    ),
    (
        "rate NaN",
        r#"{"id":"r","site":"s","rate":NaN,"faults":[{"status":503}]}"#,
        "rate",
        "expected value",
        "0 to 1",
    ),
    (
        "rate text",
        r#"{"id":"r","site":"s","rate":"5%","faults":[{"status":503}]}"#,
        "rate",
        "string",
        "0 to 1",
    ),
    (
        "rate huge",
        r#"{"id":"r","site":"s","rate":1e999,"faults":[{"status":503}]}"#,
        "rate",
        "out of range",
        "0 to 1",
    ),
    (
        "key unknown",
        r#"{"id":"r","site":"s","key":"cookie:a","faults":[{"status":503}]}"#,
        "key",
        "cookie:a",
        "header:NAME",
    ),
    (
        "key header",
        r#"{"id":"r","site":"s","key":"header:a b","faults":[{"status":503}]}"#,
        "key",
        "names no header",
        "header:NAME",
    ),
    (
        "key parameter",
        r#"{"id":"r","site":"s","match":{"path":"/a/{b}"},"key":"path:c","faults":[{"status":503}]}"#,
        "key",
        "is not a parameter",
        "of the rule's own path",
    ),
    (
        "key without path",
        r#"{"id":"r","site":"s","key":"path:c","faults":[{"status":503}]}"#,
        "key",
        "is not a parameter",
        "of the rule's own path",
    ),
    (
        "key number",
        r#"{"id":"r","site":"s","key":7,"faults":[{"status":503}]}"#,
        "key",
        "integer",
        "header:NAME",
    ),
    (
        "first attempts none",
        r#"{"id":"r","site":"s","first_attempts":{"n":0,"key":"peer"},"faults":[{"status":503}]}"#,
        "first_attempts.n",
        "0 is not allowed",
        "1 or more",
    ),
    (
        "first attempts key",
        r#"{"id":"r","site":"s","first_attempts":{"n":1,"key":"actor"},"faults":[{"status":503}]}"#,
        "first_attempts.key",
        "actor",
        "header:NAME",
    ),
    (
        "first attempts without key",
        r#"{"id":"r","site":"s","first_attempts":{"n":1},"faults":[{"status":503}]}"#,
        "first_attempts.key",
        "missing",
        "header:NAME",
    ),
    (
        "replay nothing",
        r#"{"id":"r","site":"s","replay":{},"faults":[{"status":503}]}"#,
        "replay",
        "neither ordinals nor keys",
        "either ordinals or keys",
    ),
    (
        "replay both",
        r#"{"id":"r","site":"s","key":"peer","replay":{"ordinals":[1],"keys":["a"]},"faults":[{"status":503}]}"#,
        "replay",
        "both ordinals and keys",
        "ordinals or keys",
    ),
    (
        "replay keys",
        r#"{"id":"r","site":"s","replay":{"keys":["a"]},"faults":[{"status":503}]}"#,
        "replay.keys",
        "has no key",
        "in a rule with a key",
    ),
    (
        "replay negative",
        r#"{"id":"r","site":"s","replay":{"ordinals":[-1]},"faults":[{"status":503}]}"#,
        "replay.ordinals[0]",
        "-1",
        "a whole number, 0 or more",
    ),
    (
        "program and rate",
        r#"{"id":"r","site":"s","rate":0.5,"program":[{"rate":1}],"faults":[{"status":503}]}"#,
        "program",
        "replaces",
        "list",
    ),
    (
        "program longer than ttl",
        r#"{"id":"r","site":"s","ttl":"1m","program":[{"for":"2m","rate":1}],"faults":[{"status":503}]}"#,
        "program",
        "does not fit into the ttl of 60s",
        "",
    ),
    (
        "program longer than the default ttl",
        r#"{"id":"r","site":"s","program":[{"for":"11m","rate":1}],"faults":[{"status":503}]}"#,
        "program",
        "does not fit into the ttl of 600s",
        "",
    ),
    (
        "program empty",
        r#"{"id":"r","site":"s","program":[],"faults":[{"status":503}]}"#,
        "program",
        "no phase",
        "1 to 100 phases",
    ),
    (
        "program ramp",
        r#"{"id":"r","site":"s","program":[{"rate":"0...5","for":"1m"}],"faults":[{"status":503}]}"#,
        "program[0].rate",
        "no ramp",
        "ramp",
    ),
    (
        "window zone",
        r#"{"id":"r","site":"s","window":{"days":"mon","zone":"Mars/Olympus"},"faults":[{"status":503}]}"#,
        "window.zone",
        "Mars/Olympus",
        "zone",
    ),
    (
        "window days",
        r#"{"id":"r","site":"s","window":{"days":"moonday"},"faults":[{"status":503}]}"#,
        "window.days",
        "moonday",
        "mon",
    ),
    (
        "window hours",
        r#"{"id":"r","site":"s","window":{"hours":"9-17"},"faults":[{"status":503}]}"#,
        "window.hours",
        "9-17",
        "09:00",
    ),
    (
        "window empty",
        r#"{"id":"r","site":"s","window":{},"faults":[{"status":503}]}"#,
        "window",
        "neither days nor hours",
        "days or hours",
    ),
    (
        "seed",
        r#"{"id":"r","site":"s","seed":-1,"faults":[{"status":503}]}"#,
        "seed",
        "-1",
        "whole number",
    ),
    (
        "every 0",
        r#"{"id":"r","site":"s","every":0,"faults":[{"status":503}]}"#,
        "every",
        "0",
        "1 or more",
    ),
    (
        "limit 0",
        r#"{"id":"r","site":"s","limit":0,"faults":[{"status":503}]}"#,
        "limit",
        "0",
        "1 or more",
    ),
    (
        "max_active 0",
        r#"{"id":"r","site":"s","max_active":0,"faults":[{"status":503}]}"#,
        "max_active",
        "0",
        "1 or more",
    ),
    (
        "ttl",
        r#"{"id":"r","site":"s","ttl":"soon","faults":[{"status":503}]}"#,
        "ttl",
        "soon",
        "never",
    ),
    (
        "ttl 0",
        r#"{"id":"r","site":"s","ttl":"0s","faults":[{"status":503}]}"#,
        "ttl",
        "0",
        "more than 0s",
    ),
    (
        "ttl long",
        r#"{"id":"r","site":"s","ttl":"2years","faults":[{"status":503}]}"#,
        "ttl",
        "out of range",
        "365 days",
    ),
    (
        "mode",
        r#"{"id":"r","site":"s","mode":"test","faults":[{"status":503}]}"#,
        "mode",
        "test",
        "shadow",
    ),
    (
        "duration",
        r#"{"id":"r","site":"s","faults":[{"latency":"200"}]}"#,
        "faults[0].latency",
        "200",
        "200ms",
    ),
    (
        "duration number",
        r#"{"id":"r","site":"s","faults":[{"latency":200}]}"#,
        "faults[0].latency",
        "integer",
        "200ms",
    ),
    (
        "duration huge",
        r#"{"id":"r","site":"s","faults":[{"latency":"99999999999999999999y"}]}"#,
        "faults[0].latency",
        "no duration",
        "24h",
    ),
    (
        "duration long",
        r#"{"id":"r","site":"s","faults":[{"latency":"25h"}]}"#,
        "faults[0].latency",
        "too long",
        "24h",
    ),
    (
        "range",
        r#"{"id":"r","site":"s","faults":[{"latency":"2s..1s"}]}"#,
        "faults[0].latency",
        "above",
        "range",
    ),
    (
        "status",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s"},{"status":99}]}"#,
        "faults[1].status",
        "99",
        "200 to 599",
    ),
    (
        "status big",
        r#"{"id":"r","site":"s","faults":[{"status":70000}]}"#,
        "faults[0].status",
        "70000",
        "200 to 599",
    ),
    (
        "io kind",
        r#"{"id":"r","site":"s","faults":[{"error":{"kind":"sad"}}]}"#,
        "faults[0].error.kind",
        "sad",
        "connection_refused",
    ),
    (
        "error form",
        r#"{"id":"r","site":"s","faults":[{"error":7}]}"#,
        "faults[0].error",
        "neither",
        "message",
    ),
    (
        "empty fault",
        r#"{"id":"r","site":"s","faults":[{}]}"#,
        "faults[0]",
        "empty",
        "any of latency",
    ),
    (
        "two in one",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s","status":503}]}"#,
        "faults[0]",
        "latency and status",
        "in order",
    ),
    (
        "after the end",
        r#"{"id":"r","site":"s","faults":[{"status":503},{"latency":"1s"}]}"#,
        "faults[1]",
        "ends the call",
        "acts on the response",
    ),
    (
        "method",
        r#"{"id":"r","site":"s","match":{"method":["POST","get"]},"faults":[{"status":503}]}"#,
        "match.method",
        "get",
        "capitals",
    ),
    (
        "path",
        r#"{"id":"r","site":"s","match":{"path":"products"},"faults":[{"status":503}]}"#,
        "match.path",
        "products",
        "`/`",
    ),
    (
        "path param",
        r#"{"id":"r","site":"s","match":{"path":"/{a}{b}"},"faults":[{"status":503}]}"#,
        "match.path",
        "",
        "{param}",
    ),
    (
        "host",
        r#"{"id":"r","site":"s","match":{"host":"a:80"},"faults":[{"status":503}]}"#,
        "match.host",
        "a:80",
        "without its port",
    ),
    (
        "header name",
        r#"{"id":"r","site":"s","match":{"headers":{"a b":"x"}},"faults":[{"status":503}]}"#,
        "match.headers",
        "a b",
        "header names",
    ),
    (
        "bad regex",
        r#"{"id":"r","site":"s","match":{"headers":{"a":{"regex":"("}}},"faults":[{"status":503}]}"#,
        "match.headers.a",
        "",
        "regular expression",
    ),
    (
        "a full regex that closes what it did not open",
        r#"{"id":"r","site":"s","match":{"headers":{"a":{"full_regex":"a)|(b"}}},"faults":[{"status":503}]}"#,
        "match.headers.a",
        "closing ')'",
        "regular expression",
    ),
    (
        "a search and a full match",
        r#"{"id":"r","site":"s","match":{"headers":{"a":{"regex":"a","full_regex":"b"}}},"faults":[{"status":503}]}"#,
        "match.headers.a",
        "regex and full_regex",
        "{\"full_regex\"}",
    ),
    (
        "regex bomb",
        r#"{"id":"r","site":"s","match":{"path":{"regex":"((a{1000}){1000}){1000}"}},"faults":[{"status":503}]}"#,
        "match.path",
        "",
        "32 KiB",
    ),
    (
        "matcher form",
        r#"{"id":"r","site":"s","match":{"path":{"like":"x"}},"faults":[{"status":503}]}"#,
        "match.path.like",
        "like",
        "`prefix`",
    ),
    (
        "two forms",
        r#"{"id":"r","site":"s","match":{"path":{"prefix":"a","suffix":"b"}},"faults":[{"status":503}]}"#,
        "match.path",
        "prefix and suffix",
        "text",
    ),
    (
        "empty list",
        r#"{"id":"r","site":"s","match":{"labels":{"t":[]}},"faults":[{"status":503}]}"#,
        "match.labels.t",
        "empty",
        "list of matchers",
    ),
    (
        "old path syntax",
        r#"{"id":"r","site":"s","match":{"path":"/a/:id"},"faults":[{"status":503}]}"#,
        "match.path",
        "starts with `:`",
        "{param}",
    ),
    (
        "path with a query",
        r#"{"id":"r","site":"s","match":{"path":"/a?b=1"},"faults":[{"status":503}]}"#,
        "match.path",
        "as it is sent",
        "without a query",
    ),
    (
        "host in another script",
        r#"{"id":"r","site":"s","match":{"host":"b\u00fccher.example"},"faults":[{"status":503}]}"#,
        "match.host",
        "no host",
        "without its port",
    ),
    (
        "header twice",
        r#"{"id":"r","site":"s","match":{"headers":{"X-A":"1","x-a":"2"}},"faults":[{"status":503}]}"#,
        "match.headers",
        "occurs twice",
        "header names",
    ),
    (
        "label twice",
        r#"{"id":"r","site":"s","match":{"labels":{"t":"1","t":"2"}},"faults":[{"status":503}]}"#,
        "match.labels",
        "occurs twice",
        "label names",
    ),
    (
        "label that is no text, called like a field",
        r#"{"id":"r","site":"s","match":{"labels":{"id":7}},"faults":[{"status":503}]}"#,
        "match.labels.id",
        "integer",
        "{\"prefix\"}",
    ),
    (
        "empty form",
        r#"{"id":"r","site":"s","match":{"path":{}},"faults":[{"status":503}]}"#,
        "match.path",
        "says nothing",
        "text matcher",
    ),
    (
        "latency object",
        r#"{"id":"r","site":"s","faults":[{"latency":{"p50":"1s","q":"2s"}}]}"#,
        "faults[0].latency",
        "unknown field `q`",
        "p99",
    ),
    (
        "one quantile",
        r#"{"id":"r","site":"s","faults":[{"latency":{"p50":"1s"}}]}"#,
        "faults[0].latency",
        "",
        "quantiles",
    ),
    (
        "quantiles that fall",
        r#"{"id":"r","site":"s","faults":[{"latency":{"p50":"2s","p99":"1s"}}]}"#,
        "faults[0].latency",
        "",
        "quantiles",
    ),
    (
        "a quantile without a unit",
        r#"{"id":"r","site":"s","faults":[{"latency":{"p50":20,"p99":"1s"}}]}"#,
        "faults[0].latency",
        "p50",
        "200ms",
    ),
    (
        "mean alone",
        r#"{"id":"r","site":"s","faults":[{"latency":{"mean":"1s"}}]}"#,
        "faults[0].latency",
        "std_dev",
        "std_dev",
    ),
    (
        "pareto",
        r#"{"id":"r","site":"s","faults":[{"latency":{"pareto":{"min":"1s","alpha":0}}}]}"#,
        "faults[0].latency",
        "",
        "alpha",
    ),
    (
        "at_least with a spread",
        r#"{"id":"r","site":"s","faults":[{"latency":{"at_least":"1s","std_dev":"5ms"}}]}"#,
        "faults[0].latency",
        "std_dev beside at_least",
        "at_least",
    ),
    (
        "at_least with a tail",
        r#"{"id":"r","site":"s","faults":[{"latency":{"pareto":{"min":"1s","alpha":1},"at_least":"1s"}}]}"#,
        "faults[0].latency",
        "pareto beside at_least: a call is padded up to a duration or a range",
        "at_least",
    ),
    (
        "a max beside at_least",
        r#"{"id":"r","site":"s","faults":[{"latency":{"at_least":"1s","max":"2s"}}]}"#,
        "faults[0].latency",
        "max beside at_least",
        "at_least",
    ),
    (
        "a curve outside of its latency",
        r#"{"id":"r","site":"s","faults":[{"pareto":{"min":"1s","alpha":1}}]}"#,
        "faults[0].pareto",
        "unknown field `pareto`, which belongs in `latency`",
        "latency",
    ),
    (
        "a curve beside its latency",
        r#"{"id":"r","site":"s","faults":[{"pareto":{"min":"1s","alpha":1},"latency":{"at_least":"1s"}}]}"#,
        "faults[0].pareto",
        "unknown field `pareto`, which belongs in `latency`",
        "latency",
    ),
    (
        "a max in a pareto",
        r#"{"id":"r","site":"s","faults":[{"latency":{"pareto":{"min":"1s","alpha":1,"max":"2s"}}}]}"#,
        "faults[0].latency",
        "pareto.max: unknown field `max`",
        "pareto",
    ),
    (
        "an at_least in a pareto",
        r#"{"id":"r","site":"s","faults":[{"latency":{"pareto":{"min":"1s","alpha":1,"at_least":"2s"}}}]}"#,
        "faults[0].latency",
        "pareto.at_least: unknown field `at_least`",
        "pareto",
    ),
    (
        "a max alone",
        r#"{"id":"r","site":"s","faults":[{"latency":{"max":"2s"}}]}"#,
        "faults[0].latency",
        "too few quantiles",
        "pareto",
    ),
    (
        "a max below the curve",
        r#"{"id":"r","site":"s","faults":[{"latency":{"pareto":{"min":"1s","alpha":1},"max":"10ms"}}]}"#,
        "faults[0].latency",
        "a max of 10ms over 1s",
        "\"max\" beside",
    ),
    (
        "at least after",
        r#"{"id":"r","site":"s","faults":[{"latency":{"at_least":"1s"},"when":"after"}]}"#,
        "faults[0].when",
        "alongside",
        "before",
    ),
    (
        "when",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s","when":"never"}]}"#,
        "faults[0].when",
        "never",
        "after",
    ),
    (
        "when beside a status",
        r#"{"id":"r","site":"s","faults":[{"status":503,"when":"after"}]}"#,
        "faults[0].when",
        "beside status, which has no such option",
        "before",
    ),
    (
        "status object",
        r#"{"id":"r","site":"s","faults":[{"status":{"code":99}}]}"#,
        "faults[0].status.code",
        "99",
        "200 to 599",
    ),
    (
        "status without code",
        r#"{"id":"r","site":"s","faults":[{"status":{"body":"x"}}]}"#,
        "faults[0].status.code",
        "missing",
        "200 to 599",
    ),
    (
        "status text",
        r#"{"id":"r","site":"s","faults":[{"status":"503"}]}"#,
        "faults[0].status",
        "no number",
        "200 to 599",
    ),
    (
        "body and json",
        r#"{"id":"r","site":"s","faults":[{"status":{"code":503,"body":"x","json":1}}]}"#,
        "faults[0].status",
        "both",
        "body or json",
    ),
    (
        "header that frames",
        r#"{"id":"r","site":"s","faults":[{"status":{"code":503,"headers":{"content-length":"1"}}}]}"#,
        "faults[0].status.headers",
        "frames",
        "header names",
    ),
    (
        "header value",
        r#"{"id":"r","site":"s","faults":[{"status":{"code":503,"headers":{"x":"a\nb"}}}]}"#,
        "faults[0].status.headers",
        "no header value",
        "header names",
    ),
    (
        "grpc name",
        r#"{"id":"r","site":"s","faults":[{"grpc":"unavailable"}]}"#,
        "faults[0].grpc",
        "unavailable",
        "UNAVAILABLE",
    ),
    (
        "grpc number",
        r#"{"id":"r","site":"s","faults":[{"grpc":17}]}"#,
        "faults[0].grpc",
        "17",
        "0 to 16",
    ),
    (
        "grpc code",
        r#"{"id":"r","site":"s","faults":[{"grpc":{"code":99}}]}"#,
        "faults[0].grpc.code",
        "99",
        "0 to 16",
    ),
    (
        "grpc details",
        r#"{"id":"r","site":"s","faults":[{"grpc":{"code":14,"details":"not base64!"}}]}"#,
        "faults[0].grpc.details",
        "base64",
        "google.rpc.Status",
    ),
    (
        "grpc after no messages",
        r#"{"id":"r","site":"s","faults":[{"grpc":{"code":14,"after_messages":0}}]}"#,
        "faults[0].grpc.after_messages",
        "0",
        "1 or more",
    ),
    (
        "grpc on",
        r#"{"id":"r","site":"s","faults":[{"grpc":{"code":14,"on":"request"}}]}"#,
        "faults[0].grpc.on",
        "without",
        "response",
    ),
    (
        "abort",
        r#"{"id":"r","site":"s","faults":[{"abort":"explode"}]}"#,
        "faults[0].abort",
        "explode",
        "reset",
    ),
    (
        "abort h2",
        r#"{"id":"r","site":"s","faults":[{"abort":{"h2":"bored"}}]}"#,
        "faults[0].abort.h2",
        "bored",
        "cancel",
    ),
    (
        "abort after nothing",
        r#"{"id":"r","site":"s","faults":[{"abort":"panic","after":"1KiB"}]}"#,
        "faults[0].after",
        "lets nothing pass",
        "1KiB",
    ),
    (
        "on of an abort at once",
        r#"{"id":"r","site":"s","faults":[{"abort":"close","on":"request"}]}"#,
        "faults[0].on",
        "without `after`",
        "response",
    ),
    (
        "after beside a delay",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s","after":"1KiB"}]}"#,
        "faults[0].after",
        "no such option",
        "1KiB",
    ),
    (
        "abort size",
        r#"{"id":"r","site":"s","faults":[{"abort":"close","after":"some"}]}"#,
        "faults[0].after",
        "no size",
        "1KiB",
    ),
    (
        "hang",
        r#"{"id":"r","site":"s","faults":[{"hang":"25h"}]}"#,
        "faults[0].hang",
        "too long",
        "24h",
    ),
    (
        "hang for ever",
        r#"{"id":"r","site":"s","faults":[{"hang":true}]}"#,
        "faults[0].hang",
        "boolean",
        "30s",
    ),
    (
        "pause",
        r#"{"id":"r","site":"s","faults":[{"pause":{}}]}"#,
        "faults[0].pause.max",
        "missing",
        "30s",
    ),
    (
        "pause text",
        r#"{"id":"r","site":"s","faults":[{"pause":"30s"}]}"#,
        "faults[0].pause",
        "string",
        "max",
    ),
    (
        "block",
        r#"{"id":"r","site":"s","faults":[{"block":"soon"}]}"#,
        "faults[0].block",
        "no duration",
        "50ms",
    ),
    (
        "body",
        r#"{"id":"r","site":"s","faults":[{"body":{}}]}"#,
        "faults[0].body",
        "empty",
        "throttle",
    ),
    (
        "body twice",
        r#"{"id":"r","site":"s","faults":[{"body":{"throttle":"1KiB/s","chunk":"1s"}}]}"#,
        "faults[0].body",
        "throttle and chunk",
        "throttle",
    ),
    (
        "throttle",
        r#"{"id":"r","site":"s","faults":[{"body":{"throttle":"10KiB"}}]}"#,
        "faults[0].body.throttle",
        "`/s`",
        "10KiB/s",
    ),
    (
        "throttle 0",
        r#"{"id":"r","site":"s","faults":[{"body":{"throttle":"0B/s"}}]}"#,
        "faults[0].body.throttle",
        "0",
        "more than 0",
    ),
    (
        "stall",
        r#"{"id":"r","site":"s","faults":[{"body":{"stall_after":"1KiB"}}]}"#,
        "faults[0].body.for",
        "missing",
        "30s",
    ),
    (
        "for",
        r#"{"id":"r","site":"s","faults":[{"body":{"throttle":"1KiB/s","for":"1s"}}]}"#,
        "faults[0].body.for",
        "without",
        "30s",
    ),
    (
        "corrupt",
        r#"{"id":"r","site":"s","faults":[{"body":{"corrupt":1.5}}]}"#,
        "faults[0].body.corrupt",
        "1.5",
        "at most 1",
    ),
    (
        "corrupt nothing",
        r#"{"id":"r","site":"s","faults":[{"body":{"corrupt":0}}]}"#,
        "faults[0].body.corrupt",
        "0",
        "above 0",
    ),
    (
        "side",
        r#"{"id":"r","site":"s","faults":[{"body":{"corrupt":0.5,"on":"both"}}]}"#,
        "faults[0].body.on",
        "both",
        "response",
    ),
    (
        "side twice",
        r#"{"id":"r","site":"s","faults":[{"body":{"corrupt":0.5,"on":"request"},"on":"request"}]}"#,
        "faults[0].on",
        "twice",
        "response",
    ),
    (
        "no headers",
        r#"{"id":"r","site":"s","faults":[{"headers":{}}]}"#,
        "faults[0].headers",
        "empty",
        "set, remove or both",
    ),
    (
        "header name to set",
        r#"{"id":"r","site":"s","faults":[{"headers":{"set":{"a b":"1"}}}]}"#,
        "faults[0].headers.set",
        "a b",
        "header names",
    ),
    (
        "header name to remove",
        r#"{"id":"r","site":"s","faults":[{"headers":{"remove":["a b"]}}]}"#,
        "faults[0].headers.remove",
        "a b",
        "header names",
    ),
    (
        "burn",
        r#"{"id":"r","site":"s","faults":[{"burn":{"for":"1s"}}]}"#,
        "faults[0].burn",
        "neither",
        "cpu or memory",
    ),
    (
        "burn cpu",
        r#"{"id":"r","site":"s","faults":[{"burn":{"cpu":2,"for":"1s"}}]}"#,
        "faults[0].burn.cpu",
        "2",
        "at most 1",
    ),
    (
        "burn memory",
        r#"{"id":"r","site":"s","faults":[{"burn":{"memory":"0B","for":"1s"}}]}"#,
        "faults[0].burn.memory",
        "0 bytes",
        "1B",
    ),
    (
        "burn time",
        r#"{"id":"r","site":"s","faults":[{"burn":{"cpu":1}}]}"#,
        "faults[0].burn.for",
        "missing",
        "30s",
    ),
    (
        "custom",
        r#"{"id":"r","site":"s","faults":[{"custom":{"to":"b"}}]}"#,
        "faults[0].custom.name",
        "missing",
        "defines",
    ),
    (
        "gRPC prefix with a slash",
        r#"{"id":"r","site":"s","match":{"grpc":{"prefix":"/greeter.v1"}},"faults":[{"status":503}]}"#,
        "match.grpc",
        "begins no gRPC method",
        "all of a service",
    ),
    (
        "gRPC prefix in a list, negated",
        r#"{"id":"r","site":"s","match":{"grpc":["a.B/C",{"not":{"prefix":"a.B/C/"}}]},"faults":[{"status":503}]}"#,
        "match.grpc",
        "begins no gRPC method",
        "text matcher",
    ),
    (
        "gRPC pattern in the service",
        r#"{"id":"r","site":"s","match":{"grpc":"greeter.*/Greet"},"faults":[{"status":503}]}"#,
        "match.grpc",
        "no gRPC method",
        "text matcher",
    ),
    (
        "path prefix without a slash",
        r#"{"id":"r","site":"s","match":{"path":{"prefix":"products"}},"faults":[{"status":503}]}"#,
        "match.path",
        "a path begins with `/`",
        "text matcher",
    ),
    (
        "gRPC method",
        r#"{"id":"r","site":"s","match":{"grpc":"/a.B/C"},"faults":[{"status":503}]}"#,
        "match.grpc",
        "no gRPC method",
        "shop.v1.Orders/Place",
    ),
    (
        "grpc OK",
        r#"{"id":"r","site":"s","faults":[{"grpc":"OK"}]}"#,
        "faults[0].grpc",
        "no failure",
        "UNAVAILABLE",
    ),
    (
        "choice: weight 0",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":0,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "0",
        "1 to 1000000",
    ),
    (
        "choice: weight below",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":-1,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "-1",
        "1 to 1000000",
    ),
    (
        "choice: weight above",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":1000001,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "1000001",
        "1 to 1000000",
    ),
    (
        "choice: weight huge",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":5000000000,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "5000000000",
        "1 to 1000000",
    ),
    (
        "choice: weight broken",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":0.5,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "0.5",
        "whole number",
    ),
    (
        "choice: weight text",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":"2","fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "string",
        "whole number",
    ),
    (
        "choice: weight null",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":null,"fault":{"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].weight",
        "null",
        "whole number",
    ),
    (
        "choice: no fault",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":2}]}]}"#,
        "faults[0].one_of[1].fault",
        "missing",
        "a fault",
    ),
    (
        "choice: empty fault",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":2,"fault":{}}]}]}"#,
        "faults[0].one_of[1].fault",
        "empty",
        "any of latency",
    ),
    (
        "choice: unknown field",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"weight":2,"latency":"1s"}]}]}"#,
        "faults[0].one_of[1].latency",
        "unknown",
        "`fault`",
    ),
    (
        "choice: unknown fault",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"latncy":"1s"}}]}]}"#,
        "faults[0].one_of[1].fault.latncy",
        "unknown",
        "`latency`",
    ),
    (
        "choice: two kinds",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"status":503,"hang":"1s"}}]}]}"#,
        "faults[0].one_of[1].fault",
        "several",
        "in order",
    ),
    (
        "choice: an option of another",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"status":503,"when":"after"}}]}]}"#,
        "faults[0].one_of[1].fault.when",
        "no such option",
        "before",
    ),
    (
        "choice: bad fault",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"status":99}}]}]}"#,
        "faults[0].one_of[1].fault.status",
        "99",
        "200 to 599",
    ),
    (
        "choice: bad form",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"headers":["etag"]}}]}]}"#,
        "faults[0].one_of[1].fault.headers",
        "sequence",
        "set, remove or both",
    ),
    (
        "choice: option as a list",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},["hang"]]}]}"#,
        "faults[0].one_of[1]",
        "sequence",
        "an object with fault",
    ),
    (
        "choice: nested",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"one_of":[{"fault":{"status":503}},{"fault":{"hang":"1s"}}]}}]}]}"#,
        "faults[0].one_of[1].fault",
        "within a choice",
        "any other fault",
    ),
    (
        "choice: empty",
        r#"{"id":"r","site":"s","faults":[{"one_of":[]}]}"#,
        "faults[0].one_of",
        "empty",
        "2 to 100",
    ),
    (
        "choice: single",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}}]}]}"#,
        "faults[0].one_of",
        "not a choice",
        "2 to 100",
    ),
    (
        "choice: object",
        r#"{"id":"r","site":"s","faults":[{"one_of":{"fault":{"status":503}}}]}"#,
        "faults[0].one_of",
        "map",
        "2 to 100",
    ),
    (
        "choice: beside another",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"hang":"1s"}}],"status":503}]}"#,
        "faults[0]",
        "several",
        "in order",
    ),
    (
        "choice: with an option",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"latency":"1s"}},{"fault":{"hang":"1s"}}],"when":"after"}]}"#,
        "faults[0].when",
        "no such option",
        "before",
    ),
    (
        "after a choice that ends the call",
        r#"{"id":"r","site":"s","faults":[{"one_of":[{"fault":{"status":503}},{"fault":{"error":"gone"}}]},{"hang":"1s"}]}"#,
        "faults[1]",
        "ends the call",
        "acts on the response",
    ),
    (
        "choice after the end",
        r#"{"id":"r","site":"s","faults":[{"status":503},{"one_of":[{"fault":{"latency":"1s"}},{"fault":{"hang":"1s"}}]}]}"#,
        "faults[1]",
        "ends the call",
        "acts on the response",
    ),
    (
        "two ends",
        r#"{"id":"r","site":"s","faults":[{"status":503},{"error":"gone"}]}"#,
        "faults[1]",
        "ends the call",
        "acts on the response",
    ),
    (
        "header of a call that is cut",
        r#"{"id":"r","site":"s","faults":[{"headers":{"set":{"a":"b"}}},{"abort":"close"}]}"#,
        "faults[0]",
        "cuts the call off",
        "a number of bytes",
    ),
    (
        "body of a call that was cut",
        r#"{"id":"r","site":"s","faults":[{"abort":"reset"},{"body":{"truncate_after":"3B"}}]}"#,
        "faults[1]",
        "cuts the call off",
        "a number of bytes",
    ),
    (
        "cut after bytes of a call that is cut",
        r#"{"id":"r","site":"s","faults":[{"abort":"close","after":"3B"},{"abort":"close"}]}"#,
        "faults[0]",
        "cuts the call off",
        "a number of bytes",
    ),
    (
        "body of an answer without one",
        r#"{"id":"r","site":"s","faults":[{"body":{"throttle":"1KiB/s"}},{"status":204}]}"#,
        "faults[0]",
        "answers without",
        "an answer with a body",
    ),
    (
        "cut of an answer without a body",
        r#"{"id":"r","site":"s","faults":[{"status":{"code":503,"body":""}},{"abort":"close","after":"3B"}]}"#,
        "faults[1]",
        "answers without",
        "an answer with a body",
    ),
    (
        "delay of a panic",
        r#"{"id":"r","site":"s","faults":[{"abort":"panic"},{"latency":"1s","when":"after"}]}"#,
        "faults[1]",
        "panics",
        "a result",
    ),
    (
        "no option can follow",
        r#"{"id":"r","site":"s","faults":[{"abort":"close"},{"one_of":[{"fault":{"latency":"1s"}},{"fault":{"body":{"throttle":"1KiB/s"}}}]}]}"#,
        "faults[1]",
        "cuts the call off",
        "a number of bytes",
    ),
];

/// What acts on the response may stand before and after what makes it.
#[test]
fn the_order_of_an_answer_and_of_what_acts_on_it_is_free() {
    let answers = [
        r#"{"status":503}"#,
        r#"{"grpc":14}"#,
        r#"{"error":"gone"}"#,
        r#"{"one_of":[{"fault":{"status":503}},{"fault":{"abort":"close"}}]}"#,
    ];
    let later = [
        r#"{"latency":"1s","when":"after"}"#,
        r#"{"latency":{"at_least":"1s"}}"#,
        r#"{"headers":{"set":{"retry-after":"1"}}}"#,
        r#"{"body":{"throttle":"1KiB/s"}}"#,
        r#"{"abort":"close","after":"3B"}"#,
        r#"{"abort":"goaway"}"#,
    ];
    for (answer, later) in answers.iter().flat_map(|it| later.map(|later| (it, later))) {
        for faults in [[*answer, later], [later, *answer]] {
            let rule = format!(r#"{{"id":"r","site":"s","faults":[{}]}}"#, faults.join(","));
            rule_from_json(rule.as_bytes(), None).unwrap();
        }
    }
    let waits =
        r#"{"id":"r","site":"s","faults":[{"abort":"close"},{"latency":"1s","when":"after"}]}"#;
    rule_from_json(waits.as_bytes(), None).unwrap();
}

#[test]
fn each_bad_rule_names_its_field_and_what_is_allowed() {
    let mut wrong = Vec::new();
    for (what, json, field, problem, allowed) in BAD {
        let error = match rule_from_json(json.as_bytes(), None) {
            Ok(rule) => {
                wrong.push(format!("{what}: accepted as {rule:?}"));
                continue;
            }
            Err(error) => error,
        };
        let fits = error.field() == *field
            && error.problem().contains(problem)
            && error.allowed().contains(allowed);
        if !fits {
            wrong.push(format!("{what}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_id_in_the_address_counts() {
    let json = br#"{"site":"s","faults":[{"status":503}]}"#;
    assert_eq!(rule_from_json(json, Some("r")).unwrap().id().as_str(), "r");
    let json = br#"{"id":"other","site":"s","faults":[{"status":503}]}"#;
    let error = rule_from_json(json, Some("r")).unwrap_err();
    assert_eq!(
        (error.field(), error.allowed()),
        ("id", "the same in both, or left out")
    );
}

#[test]
fn in_a_list_the_field_says_which_rule() {
    let json = br#"{"rules":[{"id":"a","site":"s","faults":[{"status":503}]},
                             {"id":"b","site":"s","rate":2,"faults":[{"status":503}]}]}"#;
    let error = rules_from_json(json).unwrap_err();
    assert_eq!((error.rule(), error.field()), (Some("b"), "rules[1].rate"));
    let json = br#"{"rules":[{"id":"a","site":"s","faults":[{"status":"x"}]}]}"#;
    assert_eq!(
        rules_from_json(json).unwrap_err().field(),
        "rules[0].faults[0].status"
    );
    assert_eq!(rules_from_json(b"{}").unwrap_err().field(), "rules");
}

#[test]
fn a_path_with_too_many_parameters_is_refused_before_the_router_panics() {
    let path = |n: usize| (0..n).map(|n| format!("/{{p{n}}}")).collect::<String>();
    let rule = |n| {
        let json = serde_json::json!({
            "site": "s", "match": { "path": path(n) }, "faults": [{ "status": 503 }],
        });
        rule_from_json(json.to_string().as_bytes(), Some("r"))
    };
    assert!(rule(25).is_ok());
    let error = rule(26).unwrap_err();
    assert_eq!(error.field(), "match.path");
    assert!(error.allowed().contains("25 at most"), "{error}");
}

#[test]
fn many_small_bombs_are_one_large_one() {
    let bombs: Vec<_> = (0..2000)
        .map(|_| serde_json::json!({ "regex": "(?:a?){100}" }))
        .collect();
    let rule = serde_json::json!({
        "id": "r", "site": "s", "match": { "path": bombs }, "faults": [{ "status": 503 }],
    });
    let error = rule_from_json(rule.to_string().as_bytes(), None).unwrap_err();
    assert_eq!(error.field(), "match");
    assert!(
        error.allowed().contains("256 regular expressions"),
        "{error}"
    );

    let rule = |n: usize| {
        serde_json::json!({
            "id": format!("r{n}"), "site": "s", "match": { "path": { "not": { "regex": "a" } } },
            "faults": [{ "status": 503 }],
        })
    };
    let rules: Vec<_> = (0..257).map(rule).collect();
    let document = serde_json::json!({ "rules": rules }).to_string();
    assert_eq!(
        rules_from_json(document.as_bytes()).unwrap_err().field(),
        "rules"
    );
}

#[test]
fn a_choice_has_at_most_100_options() {
    let rule = |options: usize| {
        let options = vec![serde_json::json!({ "fault": { "status": 503 } }); options];
        let rule = serde_json::json!({ "site": "s", "faults": [{ "one_of": options }] });
        rule_from_json(rule.to_string().as_bytes(), Some("r"))
    };
    rule(100).unwrap();
    let error = rule(101).unwrap_err();
    assert_eq!(error.field(), "faults[0].one_of");
    assert!(error.problem().contains("101"), "{error}");
    assert!(error.allowed().contains("2 to 100"), "{error}");
}
