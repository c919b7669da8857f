//! One case: rules, and the calls that are made while they are armed. It prints itself as JSON.

use chaos_core::wire;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::support::{ask::Ask, peer::Protocol};

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) stack: Stack,
    pub(super) protocol: Protocol,
    pub(super) rules: Vec<RuleIn>,
    pub(super) calls: Vec<CallIn>,
}

/// What serves: the one gets a made answer for an error, the other passes it on as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    Axum,
    Hyper,
}

#[derive(Clone, Debug)]
pub(super) struct RuleIn {
    pub(super) faults: Vec<FaultIn>,
    /// Each call is hit, or every second one by chance.
    pub(super) is_rare: bool,
    pub(super) skip: u64,
    pub(super) every: u64,
    pub(super) limit: Option<u64>,
    pub(super) max_active: Option<u64>,
    /// So many milliseconds of delay may be planned in a minute.
    pub(super) budget: Option<u64>,
    pub(super) page: Option<Page>,
    pub(super) is_final: bool,
    pub(super) is_shadow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
    AtLeast,
}

/// Times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) enum FaultIn {
    Latency(u64, When),
    Status(u16),
    Grpc(u16, Option<(usize, On)>),
    Error(&'static str),
    Value,
    Abort(Cut, Option<usize>),
    /// Cuts after so many bytes of the request.
    AbortUpload(Cut, usize),
    Panic,
    Hang(u64),
    Pause(u64),
    Block(u64),
    Body(BytesIn, On),
    /// Sets `x-set` of the answer, or `x-ask` of the request, to the id of the rule.
    SetHeader(On),
    /// Removes `x-heard` of the answer, or `x-ask` of the request.
    RemoveHeader(On),
    BurnCpu(u64),
    BurnMemory(u64),
    /// A closure of the application, which answers 418, or does nothing.
    Custom(bool),
    OneOf(Vec<FaultIn>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Close,
    Reset,
    Refuse,
    Cancel,
    GoAway,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BytesIn {
    /// Bytes a second.
    Throttle(usize),
    Truncate(usize),
    Stall(usize, u64),
    /// All bytes are changed.
    Corrupt,
    FirstByte(u64),
    Chunk(u64),
}

#[derive(Clone, Debug)]
pub(super) struct CallIn {
    pub(super) method: Method,
    pub(super) page: Page,
    /// The lengths of the pieces: one has its length said, several have not.
    pub(super) body: Vec<usize>,
    pub(super) is_grpc: bool,
    /// `Expect: 100-continue`.
    pub(super) expects: bool,
    /// The client goes after so many milliseconds.
    pub(super) leaves: Option<u64>,
    /// Whether it sends all that it says it will.
    pub(super) is_whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Text,
    Stream,
    Big,
    Empty,
    NoContent,
    NotModified,
    Messages,
    Echo,
    Late,
    Upgrade,
}

impl Page {
    pub(super) const ALL: [Self; 10] = [
        Self::Text,
        Self::Stream,
        Self::Big,
        Self::Empty,
        Self::NoContent,
        Self::NotModified,
        Self::Messages,
        Self::Echo,
        Self::Late,
        Self::Upgrade,
    ];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Text => "/text",
            Self::Stream => "/stream",
            Self::Big => "/big",
            Self::Empty => "/empty",
            Self::NoContent => "/no-content",
            Self::NotModified => "/not-modified",
            Self::Messages => "/messages",
            Self::Echo => "/echo",
            Self::Late => "/late",
            Self::Upgrade => "/upgrade",
        }
    }
}

impl Case {
    pub(super) fn to_json(&self) -> Value {
        let rules: Vec<_> = (0..self.rules.len()).map(|at| self.rule(at)).collect();
        let call = |call: &CallIn| {
            json!({
                "method": call.method.as_str(), "path": call.page.path(), "body": call.body,
                "grpc": call.is_grpc, "expect": call.expects, "leaves_ms": call.leaves,
                "whole": call.is_whole,
            })
        };
        let calls: Vec<_> = self.calls.iter().map(call).collect();
        json!({
            "stack": format!("{:?}", self.stack), "protocol": format!("{:?}", self.protocol),
            "rules": rules, "calls": calls,
        })
    }

    /// The rule as it is armed.
    pub(super) fn rule(&self, at: usize) -> Value {
        let rule = &self.rules[at];
        let id = id(at);
        let faults = rule.faults.iter().map(|fault| fault.to_json(&id));
        let mut json = json!({
            "id": id, "site": "http.server", "ttl": "1h", "faults": faults.collect::<Vec<_>>(),
        });
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                json[field] = value;
            }
        };
        set("rate", rule.is_rare.then(|| json!(0.5)));
        set("skip", (rule.skip > 0).then(|| json!(rule.skip)));
        set("every", (rule.every > 1).then(|| json!(rule.every)));
        set("limit", rule.limit.map(|limit| json!(limit)));
        set("max_active", rule.max_active.map(|max| json!(max)));
        let budget = |delay: u64| json!({"delay": format!("{delay}ms")});
        set("budget", rule.budget.map(budget));
        set("match", rule.page.map(|page| json!({"path": page.path()})));
        set("final", rule.is_final.then_some(json!(true)));
        set("mode", rule.is_shadow.then(|| json!("shadow")));
        json
    }
}

impl Case {
    /// Cases with one thing less.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let mut without = |change: &dyn Fn(&mut Self)| {
            let mut case = self.clone();
            change(&mut case);
            smaller.push(case);
        };
        for call in 0..self.calls.len() {
            if self.calls.len() > 1 {
                without(&|case| drop(case.calls.remove(call)));
            }
            for piece in 0..self.calls[call].body.len() {
                without(&|case| {
                    case.calls[call].body.remove(piece);
                });
            }
            if self.calls[call].expects {
                without(&|case| case.calls[call].expects = false);
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            without(&|case| drop(case.rules.remove(at)));
            for (place, fault) in rule.faults.iter().enumerate() {
                if rule.faults.len() > 1 {
                    without(&|case| drop(case.rules[at].faults.remove(place)));
                }
                if let FaultIn::OneOf(options) = fault {
                    for option in options {
                        without(&|case| case.rules[at].faults[place] = option.clone());
                    }
                }
            }
            if rule.is_qualified() {
                without(&|case| case.rules[at] = RuleIn::always(rule.faults.clone()));
            }
        }
        smaller.retain(|case| (0..case.rules.len()).all(|at| case.is_allowed(at)));
        smaller
    }

    /// Whether this rule is not refused: some faults exclude each other.
    pub(super) fn is_allowed(&self, at: usize) -> bool {
        wire::rule_from_value(self.rule(at), None).is_ok()
    }
}

impl RuleIn {
    /// A rule that hits every call.
    pub(super) fn always(faults: Vec<FaultIn>) -> Self {
        Self {
            faults,
            is_rare: false,
            skip: 0,
            every: 1,
            limit: None,
            max_active: None,
            budget: None,
            page: None,
            is_final: false,
            is_shadow: false,
        }
    }

    fn is_qualified(&self) -> bool {
        let amounts = [self.limit, self.max_active, self.budget];
        let flags = [self.is_rare, self.is_final, self.is_shadow];
        (self.skip, self.every) != (0, 1)
            || amounts.iter().any(Option::is_some)
            || flags.contains(&true)
            || self.page.is_some()
    }
}

pub(super) fn id(rule: usize) -> String {
    format!("r{rule}")
}

impl On {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl Cut {
    fn to_json(self) -> Value {
        match self {
            Self::Close => json!("close"),
            Self::Reset => json!("reset"),
            Self::Refuse => json!("refuse"),
            Self::GoAway => json!("goaway"),
            Self::Cancel => json!({"h2": "cancel"}),
        }
    }
}

impl FaultIn {
    /// Whether the service is not called after it.
    pub(super) fn ends_call(&self) -> bool {
        match self {
            Self::Status(_) | Self::Grpc(..) | Self::Error(_) | Self::Value | Self::Panic => true,
            Self::Abort(cut, after) => *cut != Cut::GoAway && after.is_none(),
            Self::OneOf(options) => options.iter().all(Self::ends_call),
            _ => false,
        }
    }

    /// Whether it acts on the response, whoever makes that.
    pub(super) fn acts_on_response(&self) -> bool {
        match self {
            Self::Latency(_, when) => *when != When::Before,
            Self::Body(_, on) | Self::SetHeader(on) | Self::RemoveHeader(on) => *on == On::Response,
            Self::Abort(cut, after) => *cut == Cut::GoAway || after.is_some(),
            Self::OneOf(options) => options.iter().any(Self::acts_on_response),
            _ => false,
        }
    }

    /// `id`: that of the rule.
    fn to_json(&self, id: &str) -> Value {
        let ms = |time: u64| format!("{time}ms");
        match self {
            Self::Latency(time, When::Before) => json!({"latency": ms(*time)}),
            Self::Latency(time, When::After) => json!({"latency": ms(*time), "when": "after"}),
            Self::Latency(time, When::AtLeast) => json!({"latency": {"at_least": ms(*time)}}),
            Self::Status(code) => json!({"status": code}),
            Self::Grpc(code, None) => json!({"grpc": code}),
            Self::Grpc(code, Some((messages, on))) => {
                json!({"grpc": {"code": code, "after_messages": messages, "on": on.name()}})
            }
            Self::Error(kind) => json!({"error": {"kind": kind, "message": "injected"}}),
            Self::Value => json!({"value": 42}),
            Self::Abort(cut, None) => json!({"abort": cut.to_json()}),
            Self::Abort(cut, Some(bytes)) => {
                json!({"abort": cut.to_json(), "after": format!("{bytes}B")})
            }
            Self::AbortUpload(cut, bytes) => {
                json!({"abort": cut.to_json(), "after": format!("{bytes}B"), "on": "request"})
            }
            Self::Panic => json!({"abort": "panic"}),
            Self::Hang(time) => json!({"hang": ms(*time)}),
            Self::Pause(time) => json!({"pause": {"max": ms(*time)}}),
            Self::Block(time) => json!({"block": ms(*time)}),
            Self::Body(bytes, on) => {
                let mut body = match bytes {
                    BytesIn::Throttle(rate) => json!({"throttle": format!("{rate}B/s")}),
                    BytesIn::Truncate(bytes) => json!({"truncate_after": format!("{bytes}B")}),
                    BytesIn::Stall(bytes, time) => {
                        json!({"stall_after": format!("{bytes}B"), "for": ms(*time)})
                    }
                    BytesIn::Corrupt => json!({"corrupt": 1.0}),
                    BytesIn::FirstByte(time) => json!({"first_byte": ms(*time)}),
                    BytesIn::Chunk(time) => json!({"chunk": ms(*time)}),
                };
                body["on"] = json!(on.name());
                json!({"body": body})
            }
            Self::SetHeader(On::Response) => json!({"headers": {"set": {"x-set": id}}}),
            Self::SetHeader(On::Request) => {
                json!({"headers": {"set": {"x-ask": id}}, "on": "request"})
            }
            Self::RemoveHeader(On::Response) => json!({"headers": {"remove": ["x-heard"]}}),
            Self::RemoveHeader(On::Request) => {
                json!({"headers": {"remove": ["x-ask"]}, "on": "request"})
            }
            Self::BurnCpu(time) => json!({"burn": {"cpu": 0.05, "for": ms(*time)}}),
            Self::BurnMemory(time) => json!({"burn": {"memory": "64KiB", "for": ms(*time)}}),
            Self::Custom(really) => json!({"custom": {"name": "teapots", "really": really}}),
            Self::OneOf(options) => {
                let option = |fault: &Self| json!({"weight": 1, "fault": fault.to_json(id)});
                json!({"one_of": options.iter().map(option).collect::<Vec<_>>()})
            }
        }
    }
}

impl CallIn {
    pub(super) fn ask(&self, number: usize) -> Ask {
        let body = self.body.iter().map(|length| self.piece(*length)).collect();
        let mut headers = HeaderMap::new();
        headers.insert("x-call", HeaderValue::from(number));
        headers.insert("x-ask", HeaderValue::from_static("client"));
        if self.is_grpc {
            let grpc = HeaderValue::from_static("application/grpc");
            headers.insert("content-type", grpc);
        }
        if self.expects {
            headers.insert("expect", HeaderValue::from_static("100-continue"));
        }
        if self.page == Page::Upgrade {
            headers.insert("connection", HeaderValue::from_static("upgrade"));
            headers.insert("upgrade", HeaderValue::from_static("echo"));
        }
        Ask {
            method: self.method.clone(),
            path: self.page.path(),
            headers,
            body,
            is_whole: self.is_whole,
        }
    }

    /// All bytes of the body.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let pieces = self.body.iter().map(|length| self.piece(*length));
        pieces.collect::<Vec<_>>().concat()
    }

    /// A gRPC message for each piece, or bytes alone.
    fn piece(&self, length: usize) -> Vec<u8> {
        let prefix = (self.is_grpc).then(|| [&[0][..], &(length as u32).to_be_bytes()].concat());
        let mut bytes = prefix.unwrap_or_default();
        bytes.resize(bytes.len() + length, b'a');
        bytes
    }
}
