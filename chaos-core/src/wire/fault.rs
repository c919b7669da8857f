//! A fault in JSON: the file of the wire format that a new kind of fault touches first.

mod abort;
mod burn;
mod bytes;
mod direction;
mod error;
mod grpc;
mod headers;
pub(super) mod io_kind;
mod latency;
mod status;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

pub(super) use self::latency::{quantile, quantile_name};
use self::{
    abort::{ABORT, StreamDoc},
    burn::BurnDoc,
    bytes::BodyDoc,
    direction::{DIRECTION, DIRECTIONS},
    error::{ERROR, ErrorDoc},
    grpc::{GRPC, GrpcDoc},
    headers::HeadersDoc,
    latency::{LATENCY, LatencyDoc, WHEN},
    status::{STATUS, StatusDoc},
};
use super::{
    document::document,
    form::{Form, Names, Object, SizeDoc, Whole},
    scalar::{DURATION, SIZE, duration, duration_text, meaning, size, size_text, words},
    shape::{Documented, Shape},
};
use crate::{
    call::direction::Direction,
    error::RuleError,
    fault::{Fault, OneOf, When, custom::CustomFault},
};

document! {
    /// One fault. A list of faults has one entry for each.
    FaultDoc as "Fault", "one fault, and beside it `when` of a latency, `after` of an abort, `on` of body, headers or an abort with `after`";
    optional {
        /// Delays the call.
        latency: LatencyDoc = LATENCY;
        /// Whether the delay comes `before` the handler (the default) or `after` it.
        when: String = Shape::word(|| words(WHEN));
        /// Answers with an HTTP status.
        status: Form<StatusDoc> = STATUS;
        /// Answers with a gRPC status, at once or in the middle of a stream.
        grpc: Form<GrpcDoc> = GRPC;
        /// Fails the call with an error that has this message, or with an io error of this kind.
        error: Form<ErrorDoc> = ERROR;
        /// Gives the code at the site a JSON value to use. `null` is accepted if no other field stands
        /// beside it.
        value: Value = Shape::JSON;
        /// Aborts the stream, the connection or the process. `exit`, which ends the process, requires a
        /// policy that allows it.
        abort: Form<StreamDoc> = ABORT;
        /// The number of bytes that pass before the abort cuts the stream or the connection.
        after: SizeDoc = SIZE;
        /// Holds the call without an answer, at most for this time.
        hang: String = DURATION;
        /// Holds the call until it is released.
        pause: Object<PauseDoc> = PauseDoc::SHAPE;
        /// Blocks the worker thread for this time.
        block: String = DURATION;
        /// Changes, delays or cuts off the bytes of a body or a connection.
        body: Object<BodyDoc> = BodyDoc::SHAPE;
        /// Changes the headers of the response or of the request.
        headers: Object<HeadersDoc> = HeadersDoc::SHAPE;
        /// The direction on which `body` or `headers` acts, or of the bytes that `after` counts. The default is
        /// `response`.
        on: String = DIRECTION;
        /// Uses CPU time or memory, within the policy of the process.
        burn: Object<BurnDoc> = BurnDoc::SHAPE;
        /// Calls a fault that the application defines, with the fields that it reads.
        custom: Names<Value> = Shape::map("", &Shape::ANY)
            .allowing("an object with a name that the application defines, and whatever that reads");
        /// Injects one of several faults, chosen by weight for each call that is hit.
        one_of: Vec<Object<OptionDoc>> = ONE_OF;
    }
    examples r#"[
        { "latency": "200ms..500ms" },
        { "latency": { "p50": "20ms", "p99": "800ms" }, "when": "after" },
        { "latency": { "mean": "100ms", "std_dev": "20ms", "when": "before" } },
        { "latency": { "pareto": { "min": "10ms", "alpha": 1.5 } } },
        { "latency": { "at_least": "1s" } },
        { "status": 503 },
        { "status": { "code": 429, "json": { "error": "slow down" }, "headers": { "retry-after": "5" } } },
        { "status": { "code": 500, "body": "broken", "content_type": "text/plain" } },
        { "grpc": "UNAVAILABLE" },
        { "grpc": { "code": 14, "message": "gone", "details": "CA4", "after_messages": 2, "on": "request" } },
        { "grpc": { "code": 14, "metadata": { "grpc-retry-pushback-ms": "100" } } },
        { "error": "broken" },
        { "error": { "kind": "connection_refused", "message": "nobody there" } },
        { "value": { "stock": 0 } },
        { "abort": "reset", "after": "1KiB" },
        { "abort": "close", "after": "1KiB", "on": "request" },
        { "abort": { "h2": "cancel" } },
        { "abort": "panic" },
        { "hang": "30s" },
        { "pause": { "max": "30s" } },
        { "block": "50ms" },
        { "body": { "throttle": "10KiB/s" } },
        { "body": { "truncate_after": "1KiB" }, "on": "request" },
        { "body": { "stall_after": "1KiB", "for": "5s", "on": "response" } },
        { "body": { "corrupt": 0.001 } },
        { "body": { "first_byte": "1s" } },
        { "body": { "chunk": "50ms" } },
        { "headers": { "set": { "x-a": "b" }, "remove": ["x-c"] } },
        { "burn": { "cpu": 0.8, "for": "10s" } },
        { "burn": { "memory": "64MiB", "for": "10s" } },
        { "one_of": [{ "weight": 3, "fault": { "status": 503 } }, { "fault": { "latency": "2s" } }] }
    ]"#;
}

document! {
    /// A pause: the call waits until it is released.
    PauseDoc as "PauseFault";
    required {
        /// The longest time that the call waits.
        max: String = DURATION;
    }
}

const ONE_OF: Shape = Shape::list(&OptionDoc::SHAPE, 2, 100)
    .allowing("a list of 2 to 100 objects, each with fault and, unless it is 1, weight");

document! {
    /// One fault of a choice.
    OptionDoc as "WeightedFault";
    required {
        /// A fault of any kind except `one_of`.
        fault: Object<FaultDoc> = FaultDoc::SHAPE.allowing("a fault other than one_of");
    }
    optional {
        /// How often this fault is chosen, in relation to the others. The default is 1.
        weight: Whole<u32> = Shape::whole(1, 1_000_000);
    }
}

impl FaultDoc {
    pub(super) fn into_fault(self) -> Result<Fault, RuleError> {
        if let (Some(_), Some(latency)) = (&self.when, &self.latency)
            && let Some(problem) = latency::excludes_when(latency)
        {
            return Err(Self::refuse("when", problem));
        }
        let body = self.body.as_ref().and_then(|Object(doc)| doc.on.as_ref());
        let headers = self
            .headers
            .as_ref()
            .and_then(|Object(doc)| doc.on.as_ref());
        for (kind, inside) in [("body", body), ("headers", headers)] {
            if self.on.is_some() && inside.is_some() {
                let problem = format_args!("given twice, in {kind} and beside it");
                return Err(Self::refuse("on", problem));
            }
        }
        let when = self.when.as_deref().map(|when| meaning(WHEN, when));
        let when = when.transpose().map_err(Self::at("when"))?;
        let after = self.after.as_deref().map(size);
        let after = after.transpose().map_err(Self::at("after"))?;
        let on = self.on.as_deref().map(|on| meaning(DIRECTIONS, on));
        let on = on.transpose().map_err(Self::at("on"))?;

        let mut given: Vec<(&str, Result<Fault, RuleError>)> = Vec::with_capacity(1);
        let mut take = |name, fault: Option<Result<Fault, RuleError>>| {
            given.extend(fault.map(|fault| (name, fault.map_err(Self::within(name)))));
        };
        take("latency", self.latency.map(|doc| latency::fault(doc, when)));
        take("status", self.status.map(status::fault));
        take("grpc", self.grpc.map(grpc::fault));
        take("error", self.error.map(error::fault));
        let value = |value: Value| Ok(Fault::Value(value.to_string().into()));
        take("value", self.value.map(value));
        take("abort", self.abort.map(abort::fault));
        take("hang", self.hang.map(|max| wait(&max, Fault::hang)));
        take(
            "pause",
            self.pause
                .map(|Object(doc)| wait(&doc.max, Fault::pause).map_err(PauseDoc::within("max"))),
        );
        take("block", self.block.map(|time| wait(&time, Fault::block)));
        take("body", self.body.map(|Object(doc)| bytes::fault(doc, on)));
        take(
            "headers",
            self.headers.map(|Object(doc)| headers::fault(doc, on)),
        );
        take("burn", self.burn.map(|Object(doc)| doc.into_fault()));
        take("custom", self.custom.map(|Names(doc)| custom(doc)));
        take("one_of", self.one_of.map(one_of));

        let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
        let mut given = given.into_iter();
        let Some((name, fault)) = given.next() else {
            return Err(RuleError::new(
                "",
                "the object is empty",
                Self::SHAPE.allowed(),
            ));
        };
        if given.next().is_some() {
            let problem = format!("several faults in one entry: {}", names.join(" and "));
            let allowed = "one fault to an entry; list them in order";
            return Err(RuleError::new("", problem, allowed));
        }
        for (option, is_given, kinds) in [
            ("when", when.is_some(), ["latency"].as_slice()),
            ("after", after.is_some(), &["abort"]),
            ("on", on.is_some(), &["body", "headers", "abort"]),
        ] {
            if is_given && !kinds.contains(&name) {
                let problem = format_args!("beside {name}, which has no such option");
                return Err(Self::refuse(option, problem));
            }
        }
        match (fault?, after) {
            (Fault::Abort(abort, _), Some(_)) if !abort::cuts(abort) => Err(Self::refuse(
                "after",
                "beside an abort that lets nothing pass",
            )),
            (Fault::Abort(..), None) if on.is_some() => {
                Err(Self::refuse("on", "beside an abort without `after`"))
            }
            (Fault::Abort(abort, _), Some(bytes)) => {
                let direction = on.unwrap_or(Direction::Response);
                Ok(Fault::abort_after(abort, bytes, direction))
            }
            (fault, _) => Ok(fault),
        }
    }
}

/// Reads a time, and makes the fault that takes so long; errors are of the value alone.
fn wait(text: &str, fault: fn(Duration) -> Result<Fault, RuleError>) -> Result<Fault, RuleError> {
    duration(text).and_then(fault).map_err(|error| error.at(""))
}

fn custom(mut doc: BTreeMap<String, Value>) -> Result<Fault, RuleError> {
    let refuse = |problem| RuleError::new("name", problem, "a name that the application defines");
    let name = match doc.remove("name") {
        Some(Value::String(name)) => name,
        None => return Err(refuse("the field is missing")),
        Some(_) => return Err(refuse("the value is not a text")),
    };
    let arguments = Value::Object(doc.into_iter().collect()).to_string();
    Ok(Fault::Custom(CustomFault::new(&name, &arguments)))
}

fn one_of(docs: Vec<Object<OptionDoc>>) -> Result<Fault, RuleError> {
    let mut options = Vec::with_capacity(docs.len());
    for (at, Object(OptionDoc { weight, fault })) in docs.into_iter().enumerate() {
        let here = |error: RuleError| error.under(&format!("[{at}].fault"));
        let weight = weight.map_or(1, |Whole(weight)| weight);
        options.push((weight, fault.0.into_fault().map_err(here)?));
    }
    Fault::one_of(options).map_err(|error| {
        let within = error.field().trim_start_matches("one_of").to_owned();
        error.at(&within)
    })
}

fn one_of_doc(choice: &OneOf) -> Vec<Object<OptionDoc>> {
    let doc = |(weight, fault): &(u32, Fault)| OptionDoc {
        weight: (*weight != 1).then_some(Whole(*weight)),
        fault: Object(fault.into()),
    };
    let options = choice.options().iter();
    options.map(|option| Object(doc(option))).collect()
}

impl From<&Fault> for FaultDoc {
    fn from(fault: &Fault) -> Self {
        let mut doc = Self::default();
        match fault {
            Fault::Latency(latency, when) => {
                doc.latency = Some(latency::doc(latency, *when));
                doc.when = (*when == When::After).then(|| "after".to_owned());
            }
            Fault::Status(answer) => doc.status = Some(status::doc(answer)),
            Fault::Grpc(status, after) => doc.grpc = Some(grpc::doc(status, *after)),
            Fault::Error(failure) => doc.error = Some(error::doc(failure)),
            Fault::Value(json) => doc.value = Some(value_of(json)),
            Fault::Abort(abort, after) => {
                doc.abort = Some(abort::doc(*abort));
                doc.after = after.map(|after| size_text(after.count).into());
                doc.on = after.and_then(|after| direction::doc(after.direction));
            }
            Fault::Hang(max) => doc.hang = Some(duration_text(max.get())),
            Fault::Pause(max) => {
                let max = duration_text(max.get());
                doc.pause = Some(Object(PauseDoc { max }));
            }
            Fault::Block(time) => doc.block = Some(duration_text(time.get())),
            Fault::Body(bytes, on) => doc.body = Some(Object(bytes::doc(*bytes, *on))),
            Fault::Headers(edit, on) => doc.headers = Some(Object(headers::doc(edit, *on))),
            Fault::Burn(burn) => doc.burn = Some(Object(burn.into())),
            Fault::Custom(custom) => {
                let mut names = Names::default();
                if let Value::Object(arguments) = value_of(&custom.arguments) {
                    names.0.extend(arguments);
                }
                names.0.insert("name".to_owned(), (*custom.name).into());
                doc.custom = Some(names);
            }
            Fault::OneOf(choice) => doc.one_of = Some(one_of_doc(choice)),
        }
        doc
    }
}

/// Parses JSON that code may have written by hand. A text that is not JSON becomes a JSON string.
fn value_of(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}
