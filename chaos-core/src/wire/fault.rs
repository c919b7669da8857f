//! A fault in JSON: the one file of the wire format that a new kind of fault touches.

use std::{io, num::NonZeroU64, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    choice::{self, OptionDoc},
    form::{Form, Names, Object, duration, whole, whole_if_any, written},
    latency::{self, LatencyDoc, WhenDoc},
    not_zero, refuse, size,
};
use crate::{
    call::direction::Direction,
    error::RuleError,
    fault::{Fault, burn::Burn, custom::CustomFault},
    plan::{
        answer::HttpAnswer,
        bytes::{self, BytesFault},
        cut::{Abort, CutKind, StreamReason},
        grpc::{GrpcCode, GrpcStatus},
        headers::HeaderEdit,
    },
    wire::io_kind,
};

/// Every field of a fault, and what it accepts.
pub(super) const ALLOWED: &[(&str, &str)] = &[
    (
        "latency",
        "a duration such as \"200ms\", a range \"200ms..500ms\", 0s to 24h, or an object: \
         quantiles such as {\"p50\", \"p99\"}, {\"mean\", \"std_dev\"}, {\"pareto\": {\"min\", \
         \"alpha\"}} or {\"at_least\"}",
    ),
    ("when", "\"before\" or \"after\", of a latency"),
    (
        "status",
        "200 to 599, or an object with code and any of body, json, headers, content_type",
    ),
    ("status.code", "200 to 599"),
    ("status.headers", "an object of header names and values"),
    (
        "body",
        "an object with one of throttle, truncate_after, stall_after and for, corrupt, first_byte, chunk",
    ),
    ("status.body", "a text"),
    ("content_type", "a media type"),
    (
        "grpc",
        "a gRPC code, 0 to 16 or a name such as \"UNAVAILABLE\", or an object with code and any of \
         message, details, after_messages, on",
    ),
    ("grpc.code", "0 to 16, or a name such as \"UNAVAILABLE\""),
    ("details", "a serialised google.rpc.Status in base64"),
    ("after_messages", "a whole number, 1 or more"),
    ("error", "a message, or an object with kind and message"),
    ("message", "a text"),
    (
        "abort",
        "\"close\", \"reset\", \"refuse\", \"goaway\", \"panic\", \"exit\", or {\"h2\": …}",
    ),
    ("h2", "an error code of HTTP/2 such as \"cancel\""),
    ("after", "a size such as \"1KiB\", of an abort that cuts"),
    ("hang", "a duration such as \"30s\", 0s to 24h"),
    ("pause", "an object with max"),
    ("max", "a duration such as \"30s\", 0s to 24h"),
    ("block", "a duration such as \"50ms\", 0s to 24h"),
    (
        "throttle",
        "bytes a second such as \"10KiB/s\", more than 0",
    ),
    ("truncate_after", "a size such as \"1KiB\""),
    ("stall_after", "a size such as \"1KiB\""),
    ("for", "a duration such as \"5s\", 0s to 24h"),
    ("corrupt", "a share of the bytes, above 0 and at most 1"),
    ("first_byte", "a duration such as \"1s\", 0s to 24h"),
    ("chunk", "a duration such as \"50ms\", 0s to 24h"),
    ("on", "\"response\" or \"request\""),
    ("faults.headers", "an object with set and remove"),
    ("set", "an object of header names and values"),
    ("remove", "a list of header names"),
    ("burn", "an object with cpu or memory, and for"),
    ("cpu", "a share of each processor, above 0 and at most 1"),
    ("memory", "a size such as \"256MiB\", 1B or more"),
    (
        "custom",
        "an object with a name that the application defines",
    ),
    ("custom.name", "a name that the application defines"),
    (
        "one_of",
        "a list of 2 to 100 objects, each with fault and, unless it is 1, weight",
    ),
    ("weight", "a whole number, 1 to 1000000"),
    ("fault", "a fault other than one_of"),
    ("fault.headers", "an object with set and remove"),
];

const KINDS: &str = "one of latency, status, grpc, error, value, abort, hang, pause, block, body, \
                     headers, burn, custom, one_of";

/// One of its kinds is given; a struct and not an enum, so that some can carry options beside them.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FaultDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<LatencyDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<WhenDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Form<StatusDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<Form<GrpcDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Form<ErrorDoc>>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abort: Option<Form<StreamDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hang: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Object<PauseDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Object<BodyDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Object<HeadersDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<SideDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burn: Option<Object<BurnDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Names<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Object<OptionDoc>>>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideDoc {
    Request,
    Response,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusDoc {
    #[serde(deserialize_with = "whole")]
    code: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    json: Option<Value>,
    #[serde(default, skip_serializing_if = "none_named")]
    headers: Names<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrpcDoc {
    code: Form<Never>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    after_messages: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<SideDoc>,
}

/// No object will do.
#[derive(Serialize, Deserialize)]
enum Never {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorDoc {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamDoc {
    h2: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseDoc {
    max: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BodyDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stall_after: Option<String>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrupt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<SideDoc>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadersDoc {
    #[serde(default, skip_serializing_if = "none_named")]
    set: Names<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<SideDoc>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BurnDoc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    #[serde(rename = "for")]
    time: String,
}

fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn none_named<V>(names: &Names<V>) -> bool {
    names.0.is_empty()
}

impl FaultDoc {
    pub(super) fn into_fault(self) -> Result<Fault, RuleError> {
        let (when, after, on) = (self.when, self.after, self.on);
        let beside = [
            ("when", when.is_some(), self.latency.is_some()),
            ("after", after.is_some(), self.abort.is_some()),
            (
                "on",
                on.is_some(),
                self.body.is_some() || self.headers.is_some(),
            ),
        ];
        let mut given = Vec::with_capacity(1);
        given.extend(self.latency.map(|doc| doc.into_fault(when)));
        given.extend(self.status.map(status));
        given.extend(self.grpc.map(grpc));
        given.extend(self.error.map(error));
        given.extend(
            self.value
                .map(|value| Ok(Fault::Value(value.to_string().into()))),
        );
        given.extend(self.abort.map(|doc| abort(doc, after.as_deref())));
        given.extend(self.hang.map(|max| Fault::hang(duration("hang", &max)?)));
        given.extend(self.pause.map(|Object(PauseDoc { max })| pause(&max)));
        given.extend(
            self.block
                .map(|time| Fault::block(duration("block", &time)?)),
        );
        given.extend(self.body.map(|Object(doc)| body(doc, on)));
        given.extend(self.headers.map(|Object(doc)| headers(doc, on)));
        given.extend(self.burn.map(|Object(doc)| burn(&doc)));
        given.extend(self.custom.map(|Names(doc)| custom(doc)));
        given.extend(self.one_of.map(choice::choice));

        let mut given = given.into_iter();
        let fault = given
            .next()
            .ok_or_else(|| RuleError::new("", "empty", KINDS))?;
        if given.next().is_some() {
            let allowed = "one fault to an entry; list them in order";
            return Err(RuleError::new("", "several faults in one entry", allowed));
        }
        if let Some((option, ..)) = beside.iter().find(|(_, given, fits)| *given && !fits) {
            return Err(refuse(option, "beside a fault that has no such option"));
        }
        fault
    }
}

fn status(doc: Form<StatusDoc>) -> Result<Fault, RuleError> {
    let code = |code: u64| {
        u16::try_from(code)
            .map_err(|_| refuse("status", format_args!("{code} is no status of an answer")))
    };
    let doc = match doc {
        Form::Text(text) => {
            return Err(refuse(
                "status",
                format_args!("the text {text:?} is no number"),
            ));
        }
        Form::Number(number) => return Fault::status(code(number)?),
        Form::Object(doc) => doc,
    };
    let here = |error: RuleError| RuleError::new("status.code", error.problem(), error.allowed());
    let mut answer = HttpAnswer::new(doc.code).map_err(here)?;
    let content_type = match &doc.content_type {
        Some(text) => Some(header_value("status.content_type", text)?),
        None => None,
    };
    let plain = || HeaderValue::from_static("text/plain; charset=utf-8");
    let json = || HeaderValue::from_static("application/json");
    match (doc.body, doc.json) {
        (Some(_), Some(_)) => {
            let allowed = "one of the two";
            return Err(RuleError::new("status", "both body and json", allowed));
        }
        (Some(body), None) => {
            answer = answer.body(body, content_type.unwrap_or_else(plain));
        }
        (None, Some(value)) => {
            answer = answer.body(value.to_string(), content_type.unwrap_or_else(json));
        }
        (None, None) => {
            if let Some(content_type) = content_type {
                answer =
                    answer.headers([(header::CONTENT_TYPE, content_type)].into_iter().collect());
            }
        }
    }
    let mut headers = HeaderMap::new();
    for (name, value) in pairs("status.headers", doc.headers)? {
        // What the message is framed by is not the rule's to say.
        if [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
        ]
        .contains(&name)
        {
            return Err(refuse(
                "status.headers",
                format_args!("{name} frames the message"),
            ));
        }
        headers.insert(name, value);
    }
    Ok(Fault::answer(answer.headers(headers)))
}

fn grpc(doc: Form<GrpcDoc>) -> Result<Fault, RuleError> {
    let at = |field: &'static str| {
        move |error: RuleError| RuleError::new(field, error.problem(), error.allowed())
    };
    let plain = |code: GrpcCode| match code {
        GrpcCode::OK => Err(refuse("grpc", "OK is no failure")),
        code => Ok(Fault::grpc(GrpcStatus::new(code, "injected"))),
    };
    let doc = match doc {
        Form::Text(name) => return plain(GrpcCode::from_name(&name)?),
        Form::Number(number) => return plain(grpc_code(number)?),
        Form::Object(doc) => doc,
    };
    let code = match doc.code {
        Form::Text(name) => GrpcCode::from_name(&name),
        Form::Number(number) => grpc_code(number),
        Form::Object(never) => match never {},
    };
    let message = doc.message.as_deref().unwrap_or("injected");
    let mut status = GrpcStatus::new(code.map_err(at("grpc.code"))?, message);
    if let Some(details) = &doc.details {
        status = status.details(details).map_err(at("grpc.details"))?;
    }
    match doc.after_messages {
        None if status.code() == GrpcCode::OK => {
            Err(refuse("grpc.code", "OK is no failure, but after messages"))
        }
        None if doc.on.is_some() => Err(refuse("grpc.on", "without after_messages")),
        None => Ok(Fault::grpc(status)),
        Some(count) => {
            let count = not_zero("after_messages", count).map_err(at("grpc.after_messages"))?;
            Ok(Fault::grpc_after(status, count, side(doc.on)))
        }
    }
}

fn grpc_code(number: u64) -> Result<GrpcCode, RuleError> {
    GrpcCode::new(u8::try_from(number).unwrap_or(u8::MAX))
        .map_err(|_| refuse("grpc", format_args!("{number} is no gRPC code")))
}

fn error(doc: Form<ErrorDoc>) -> Result<Fault, RuleError> {
    match doc {
        Form::Text(message) => Ok(Fault::error(&message)),
        Form::Number(_) => Err(refuse(
            "error",
            "neither a message nor an object with kind and message",
        )),
        Form::Object(ErrorDoc { kind, message }) => {
            let Some(io_kind) = io_kind::from_name(&kind) else {
                let names: Vec<_> = io_kind::names().collect();
                let problem = format!("{kind:?} is no kind of io error");
                return Err(RuleError::new("error.kind", problem, names.join(", ")));
            };
            let message = message.unwrap_or_else(|| io_kind.to_string());
            Ok(Fault::io_error(io_kind, &message))
        }
    }
}

/// The parser and the writer of aborts.
const ABORTS: &[(&str, Abort)] = &[
    ("close", Abort::Cut(CutKind::Close)),
    ("reset", Abort::Cut(CutKind::Reset)),
    ("refuse", Abort::Cut(CutKind::Refuse)),
    ("goaway", Abort::Cut(CutKind::GoAway)),
    ("panic", Abort::Panic),
    ("exit", Abort::Exit),
];

fn abort(doc: Form<StreamDoc>, after: Option<&str>) -> Result<Fault, RuleError> {
    let abort = match doc {
        Form::Text(name) => {
            let found = ABORTS.iter().find(|(known, _)| *known == name);
            let unknown = || refuse("abort", format_args!("{name:?} is no abort"));
            found.ok_or_else(unknown)?.1
        }
        Form::Number(number) => {
            return Err(refuse("abort", format_args!("{number} is no abort")));
        }
        Form::Object(StreamDoc { h2 }) => {
            let reason = StreamReason::from_name(&h2).map_err(|error| error.under("abort"))?;
            Abort::Cut(CutKind::Stream(reason))
        }
    };
    let cuts = [CutKind::Close, CutKind::Reset]
        .map(Abort::Cut)
        .contains(&abort)
        || matches!(abort, Abort::Cut(CutKind::Stream(_)));
    match after {
        Some(_) if !cuts => Err(refuse("after", "beside an abort that lets nothing pass")),
        Some(after) => Ok(Fault::Abort(abort, Some(size::size("after", after)?))),
        None => Ok(Fault::abort(abort)),
    }
}

fn pause(max: &str) -> Result<Fault, RuleError> {
    let time = duration("max", max).and_then(Fault::pause);
    time.map_err(|error| error.under("pause"))
}

fn body(doc: BodyDoc, on: Option<SideDoc>) -> Result<Fault, RuleError> {
    let time = doc.time.as_deref();
    let stalls = doc.stall_after.is_some();
    let mut given = Vec::with_capacity(1);
    given.extend(doc.throttle.map(|text| throttle(&text)));
    given.extend(doc.truncate_after.map(|text| {
        Ok(BytesFault::truncate_after(size::size(
            "truncate_after",
            &text,
        )?))
    }));
    given.extend(doc.stall_after.map(|text| {
        let time = time.ok_or_else(|| refuse("for", "missing"))?;
        BytesFault::stall_after(size::size("stall_after", &text)?, duration("for", time)?)
    }));
    given.extend(doc.corrupt.map(BytesFault::corrupt));
    given.extend(
        doc.first_byte
            .map(|text| BytesFault::first_byte(duration("first_byte", &text)?)),
    );
    given.extend(
        doc.chunk
            .map(|text| BytesFault::each_chunk(duration("chunk", &text)?)),
    );

    let mut given = given.into_iter();
    let first = given.next().ok_or_else(|| refuse("body", "empty"))?;
    if given.next().is_some() {
        return Err(refuse("body", "several deeds in one fault"));
    }
    let bytes = first.map_err(|error| error.under("body"))?;
    if time.is_some() && !stalls {
        return Err(refuse("for", "without stall_after").under("body"));
    }
    Ok(Fault::Body(bytes, side(one_side(doc.on, on)?)))
}

fn throttle(text: &str) -> Result<BytesFault, RuleError> {
    let rate = size::rate("throttle", text)?;
    let rate = NonZeroU64::new(rate).ok_or_else(|| refuse("throttle", "0 is not allowed"))?;
    Ok(BytesFault::throttle(rate))
}

fn headers(doc: HeadersDoc, on: Option<SideDoc>) -> Result<Fault, RuleError> {
    let mut edit = HeaderEdit::new();
    if doc.set.0.is_empty() && doc.remove.is_empty() {
        return Err(RuleError::new(
            "headers",
            "empty",
            "an object with set and remove",
        ));
    }
    for (name, value) in pairs("headers.set", doc.set)? {
        edit = edit.set(name, value);
    }
    for name in &doc.remove {
        edit = edit.remove(header_name("headers.remove", name)?);
    }
    Ok(Fault::Headers(edit, side(one_side(doc.on, on)?)))
}

fn burn(doc: &BurnDoc) -> Result<Fault, RuleError> {
    let here = |error: RuleError| error.under("burn");
    let time = duration("for", &doc.time).map_err(here)?;
    let burn = match (doc.cpu, &doc.memory) {
        (Some(cpu), None) => Burn::cpu(cpu, time),
        (None, Some(memory)) => {
            size::size("memory", memory).and_then(|bytes| Burn::memory(bytes, time))
        }
        (None, None) => return Err(refuse("burn", "neither cpu nor memory")),
        (Some(_), Some(_)) => return Err(refuse("burn", "both cpu and memory; list two faults")),
    };
    burn.map(Fault::Burn).map_err(here)
}

fn custom(mut doc: std::collections::BTreeMap<String, Value>) -> Result<Fault, RuleError> {
    let name = match doc.remove("name") {
        Some(Value::String(name)) => name,
        None => return Err(refuse("custom.name", "missing")),
        Some(_) => return Err(refuse("custom.name", "no text")),
    };
    let arguments = Value::Object(doc.into_iter().collect()).to_string();
    Ok(Fault::Custom(CustomFault::new(&name, &arguments)))
}

/// A side that is said in one place only.
fn one_side(
    inside: Option<SideDoc>,
    beside: Option<SideDoc>,
) -> Result<Option<SideDoc>, RuleError> {
    match (inside, beside) {
        (Some(_), Some(_)) => Err(refuse("on", "said twice")),
        (side, None) | (None, side) => Ok(side),
    }
}

fn side(doc: Option<SideDoc>) -> Direction {
    match doc {
        None | Some(SideDoc::Response) => Direction::Response,
        Some(SideDoc::Request) => Direction::Request,
    }
}

fn pairs(
    field: &'static str,
    names: Names<String>,
) -> Result<Vec<(HeaderName, HeaderValue)>, RuleError> {
    let mut pairs: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(names.0.len());
    for (name, value) in names.0 {
        let name = header_name(field, &name)?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(refuse(field, format_args!("{name:?} stands twice")));
        }
        pairs.push((name, header_value(field, &value)?));
    }
    Ok(pairs)
}

fn header_name(field: &'static str, name: &str) -> Result<HeaderName, RuleError> {
    let parsed = HeaderName::try_from(name);
    parsed.map_err(|_| refuse(field, format_args!("{name:?} is no header name")))
}

fn header_value(field: &'static str, value: &str) -> Result<HeaderValue, RuleError> {
    let parsed = HeaderValue::try_from(value);
    parsed.map_err(|_| refuse(field, format_args!("{value:?} is no header value")))
}

impl From<&Fault> for FaultDoc {
    fn from(fault: &Fault) -> Self {
        let mut doc = Self::default();
        match fault {
            Fault::Latency(latency, when) => {
                (doc.latency, doc.when) = latency::doc(latency, *when);
            }
            Fault::Status(answer) => doc.status = Some(status_doc(answer)),
            Fault::Grpc(status, after) => {
                doc.grpc = Some(Form::Object(GrpcDoc {
                    code: Form::Text(status.code().name().to_owned()),
                    message: Some(status.message().to_owned()),
                    details: status.details_base64().map(String::from),
                    after_messages: after.map(|after| after.count.get()),
                    on: after.and_then(|after| side_doc(after.side)),
                }));
            }
            Fault::Error(failure) => {
                let message = failure.message().to_owned();
                doc.error = Some(match io_kind::name(failure.kind()) {
                    Some(kind) if failure.kind() != io::ErrorKind::Other => {
                        Form::Object(ErrorDoc {
                            kind: kind.to_owned(),
                            message: Some(message),
                        })
                    }
                    _ => Form::Text(message),
                });
            }
            Fault::Value(json) => doc.value = Some(value_of(json)),
            Fault::Abort(abort, after) => {
                doc.abort = Some(abort_doc(*abort));
                doc.after = after.map(size::written);
            }
            Fault::Hang(max) => doc.hang = Some(written(max.get())),
            Fault::Pause(max) => {
                let max = written(max.get());
                doc.pause = Some(Object(PauseDoc { max }));
            }
            Fault::Block(time) => doc.block = Some(written(time.get())),
            Fault::Body(bytes, side) => doc.body = Some(Object(body_doc(*bytes, *side))),
            Fault::Headers(edit, side) => doc.headers = Some(Object(headers_doc(edit, *side))),
            Fault::Burn(burn) => {
                doc.burn = Some(Object(BurnDoc {
                    cpu: (burn.cpu > 0.0).then_some(burn.cpu),
                    memory: (burn.memory > 0).then(|| size::written(burn.memory)),
                    time: written(burn.time),
                }));
            }
            Fault::Custom(custom) => {
                let mut names = Names::default();
                if let Value::Object(arguments) = value_of(&custom.arguments) {
                    names.0.extend(arguments);
                }
                names.0.insert("name".to_owned(), (*custom.name).into());
                doc.custom = Some(names);
            }
            Fault::OneOf(one_of) => doc.one_of = Some(choice::doc(one_of)),
        }
        doc
    }
}

/// JSON that code may have written by hand: what is none is a text.
fn value_of(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

fn side_doc(side: Direction) -> Option<SideDoc> {
    (side == Direction::Request).then_some(SideDoc::Request)
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn named<'a>(pairs: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Names<String> {
    let pairs = pairs.into_iter();
    Names(
        pairs
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
    )
}

fn status_doc(answer: &HttpAnswer) -> Form<StatusDoc> {
    let code = answer.status.as_u16();
    if answer.headers.is_empty() && answer.body.is_none() {
        return Form::Number(code.into());
    }
    let mut headers = answer.headers.clone();
    let content_type = headers.remove(header::CONTENT_TYPE).as_ref().map(text);
    let body = answer.body.as_ref();
    let body = body.map(|body| String::from_utf8_lossy(body).into_owned());
    // As `json`, where that says the same.
    let is_json = content_type.as_deref() == Some("application/json");
    let value = body.as_deref().filter(|_| is_json);
    let value: Option<Value> = value.and_then(|body| serde_json::from_str(body).ok());
    let value = value.filter(|value| Some(value.to_string()) == body);
    let plain = body.is_some() && content_type.as_deref() == Some("text/plain; charset=utf-8");
    Form::Object(StatusDoc {
        code,
        body: body.filter(|_| value.is_none()),
        content_type: content_type.filter(|_| value.is_none() && !plain),
        json: value,
        headers: named(&headers),
    })
}

fn abort_doc(abort: Abort) -> Form<StreamDoc> {
    match abort {
        Abort::Cut(CutKind::Stream(reason)) => Form::Object(StreamDoc {
            h2: reason.name().to_owned(),
        }),
        abort => {
            let found = ABORTS.iter().find(|(_, known)| *known == abort);
            Form::Text(found.map_or("close", |(name, _)| name).to_owned())
        }
    }
}

fn body_doc(bytes: BytesFault, side: Direction) -> BodyDoc {
    use bytes::BytesFaultKind as Kind;
    let mut doc = BodyDoc {
        on: side_doc(side),
        ..BodyDoc::default()
    };
    let time = |time: Duration| Some(written(time));
    match bytes.0 {
        Kind::Throttle(rate) => doc.throttle = Some(format!("{}/s", size::written(rate.get()))),
        Kind::TruncateAfter(bytes) => doc.truncate_after = Some(size::written(bytes)),
        Kind::StallAfter(bytes, stall) => {
            doc.stall_after = Some(size::written(bytes));
            doc.time = time(stall);
        }
        Kind::Corrupt(share) => doc.corrupt = Some(share),
        Kind::FirstByte(wait) => doc.first_byte = time(wait),
        Kind::EachChunk(wait) => doc.chunk = time(wait),
    }
    doc
}

fn headers_doc(edit: &HeaderEdit, side: Direction) -> HeadersDoc {
    HeadersDoc {
        set: named(edit.set.iter().map(|(name, value)| (name, value))),
        remove: edit.remove.iter().map(ToString::to_string).collect(),
        on: side_doc(side),
    }
}
