//! The model: what the rules of a case do to a call, as their documentation says it, in the simplest way.
//!
//! It decides first which rules fire (`fire`), then walks through their faults in order (`walk`). Chance may
//! decide one way or another, so the model is asked about every way (`outcomes`).

use h2::Reason;
use http::Method;

use super::{
    case::{BytesIn, CallIn, Case, Cut, FaultIn, On, Page, Stack, When, id},
    flow::{Flow, FlowEnd},
    server::LATE,
};
use crate::support::{heard::End, peer::Protocol};

/// What is left of what rules have a limited number of, and what they have counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RuleState {
    pub(super) matched: u64,
    pub(super) injected: u64,
    pub(super) shadowed: u64,
    spent: u64,
    delay: u64,
}

pub(super) type State = Vec<RuleState>;

pub(super) fn start(case: &Case) -> State {
    let none = RuleState {
        matched: 0,
        injected: 0,
        shadowed: 0,
        spent: 0,
        delay: 0,
    };
    vec![none; case.rules.len()]
}

/// What both ends of a call must see.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Whether the service behind the layer was called.
    pub(super) is_served: bool,
    pub(super) x_ask: Option<String>,
    /// What the service read, where it reads the body to its end.
    pub(super) upload: Option<Flow>,
    /// The head of the answer; `None` if there is none.
    pub(super) head: Option<HeadSeen>,
    pub(super) body: Flow,
    /// All ways in which it may end.
    pub(super) ends: Vec<End>,
    /// Whether HTTP/2 may give any reason.
    pub(super) any_reason: bool,
    /// Whether bytes, and the head, may be lost on their way.
    pub(super) is_lossy: bool,
    /// Whether a client that expects it is told to go on, if that is known.
    pub(super) is_told_to_go_on: Option<bool>,
    /// Whether the connection serves other calls afterwards.
    pub(super) goes_on: bool,
    /// How long it takes at least, in milliseconds: until the head, and until the end.
    pub(super) head_after: u64,
    pub(super) end_after: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct HeadSeen {
    pub(super) status: u16,
    /// In the headers.
    pub(super) grpc_status: Option<u16>,
    pub(super) marks: Vec<String>,
    pub(super) x_set: Option<String>,
    pub(super) x_heard: bool,
    /// HTTP/1 says that the connection is closed.
    pub(super) closes: bool,
}

/// Every way in which a call may go: what is counted then, and what is seen; `None` where the client has
/// gone.
pub(super) fn outcomes(case: &Case, call: &CallIn, before: &State) -> Vec<(State, Option<Seen>)> {
    let (mut outcomes, mut choices) = (Vec::new(), Choices::default());
    loop {
        outcomes.push(outcome(case, call, before, &mut choices));
        if !choices.next() {
            return outcomes;
        }
    }
}

/// Choices in the order in which they come up, and how many ways each has.
#[derive(Default)]
struct Choices {
    made: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, ways: usize) -> usize {
        if self.at == self.made.len() {
            self.made.push((0, ways));
        }
        self.at += 1;
        self.made[self.at - 1].0
    }

    /// Goes on to other choices, if there are any.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, ways)) = self.made.pop() {
            if chosen + 1 < ways {
                self.made.push((chosen + 1, ways));
                return true;
            }
        }
        false
    }
}

fn outcome(
    case: &Case,
    call: &CallIn,
    before: &State,
    choices: &mut Choices,
) -> (State, Option<Seen>) {
    let mut state = before.clone();
    // A client that goes may do so before it was heard at all.
    if call.leaves.is_some() && choices.choose(2) == 1 {
        return (state, None);
    }
    let mut fired = fire(case, call, &mut state, choices);
    if call.leaves.is_some() {
        // Each rule is counted when its turn comes, and the client may go before that.
        let begun = choices.choose(fired.len() + 1);
        for (rule, _) in fired.drain(..begun) {
            state[rule].injected += 1;
        }
        for (rule, steps) in fired {
            give_back(&mut state[rule], &steps);
        }
        return (state, None);
    }
    let mut walk = Walk::new(case, call);
    let mut fired = fired.into_iter();
    let mut end = None;
    for (rule, steps) in fired.by_ref() {
        state[rule].injected += 1;
        end = steps.iter().find_map(|fault| walk.step(rule, fault));
        if end.is_some() {
            break;
        }
    }
    for (rule, steps) in fired {
        give_back(&mut state[rule], &steps);
    }
    (state, Some(walk.seen(end)))
}

/// The rules that fire, in order, each with the faults that happen.
fn fire(
    case: &Case,
    call: &CallIn,
    state: &mut State,
    choices: &mut Choices,
) -> Vec<(usize, Vec<FaultIn>)> {
    let mut fired = Vec::new();
    for (at, rule) in case.rules.iter().enumerate() {
        let state = &mut state[at];
        if rule.page.is_some_and(|page| page != call.page) {
            continue;
        }
        state.matched += 1;
        let turn = state.matched.checked_sub(rule.skip);
        let is_turn = turn.is_some_and(|turn| turn > 0 && turn % rule.every == 0);
        if !is_turn || rule.is_rare && choices.choose(2) == 1 {
            continue;
        }
        if rule.limit.is_some_and(|limit| state.spent >= limit) {
            continue;
        }
        if rule.is_shadow {
            state.shadowed += 1;
            state.spent += 1;
            continue;
        }
        let mut steps = Vec::new();
        for fault in &rule.faults {
            let fault = match fault {
                FaultIn::OneOf(options) => &options[choices.choose(options.len())],
                fault => fault,
            };
            steps.push(fault.clone());
            if fault.ends_call() {
                break;
            }
        }
        let delay = delay(&steps);
        if let Some(budget) = rule.budget
            && delay > 0
            && state.delay + delay > budget
        {
            continue;
        }
        state.spent += 1;
        state.delay += delay;
        let is_last = rule.is_final || steps.iter().any(FaultIn::ends_call);
        fired.push((at, steps));
        if is_last {
            break;
        }
    }
    fired
}

/// Undoes what a rule spent on a call that it did not come to.
fn give_back(state: &mut RuleState, steps: &[FaultIn]) {
    state.spent -= 1;
    state.delay -= delay(steps);
}

/// The delays that a budget is charged for.
fn delay(steps: &[FaultIn]) -> u64 {
    let delay = |fault: &FaultIn| match fault {
        FaultIn::Latency(time, _) | FaultIn::Hang(time) | FaultIn::Pause(time) => *time,
        FaultIn::Block(time) => *time,
        FaultIn::Body(BytesIn::Stall(_, time) | BytesIn::FirstByte(time), _) => *time,
        _ => 0,
    };
    steps.iter().map(delay).sum()
}

/// How a call ends that is not served.
enum Finish {
    /// With this HTTP status, or with this gRPC code.
    Answer(usize, u16, u16),
    /// With an error of this code in gRPC.
    Fail(usize, u16),
    Cut(Cut),
    Panic,
}

/// A walk through the faults of a call, in order.
struct Walk<'c> {
    case: &'c Case,
    call: &'c CallIn,
    elapsed: u64,
    x_ask: Option<String>,
    upload: Flow,
    /// Whether something reads the body before the service does.
    is_read_ahead: Option<bool>,
    waits_after: u64,
    /// Until when the answer is held back at least.
    at_least: u64,
    head: HeadSeen,
    /// What is done to the answer's body, in order.
    filters: Vec<BodyFault>,
    /// After so many messages of the request, this rule answers with this code.
    after_messages: Option<(usize, usize, u16)>,
    goes_away: bool,
}

#[derive(Clone, Copy)]
enum BodyFault {
    Bytes(BytesIn),
    Cut(Cut, usize),
    Status(usize, u16),
    /// A status after messages of the request: the length of the body is no longer known.
    StatusOnSignal,
}

impl<'c> Walk<'c> {
    fn new(case: &'c Case, call: &'c CallIn) -> Self {
        let x_heard = true;
        Self {
            case,
            call,
            elapsed: 0,
            x_ask: Some("client".into()),
            upload: Flow::of_upload(call),
            is_read_ahead: Some(false),
            waits_after: 0,
            at_least: 0,
            head: HeadSeen {
                x_heard,
                ..HeadSeen::default()
            },
            filters: Vec::new(),
            after_messages: None,
            goes_away: false,
        }
    }

    /// Takes the next fault of this rule, and returns how the call ends if it does not reach the service.
    fn step(&mut self, rule: usize, fault: &FaultIn) -> Option<Finish> {
        let mark = |this: &mut Self| this.head.marks.push(id(rule));
        match fault {
            FaultIn::Latency(time, When::Before) => self.elapsed += time,
            FaultIn::Latency(time, When::After) => self.waits_after += time,
            FaultIn::Latency(time, When::AtLeast) => {
                self.at_least = self.at_least.max(self.elapsed + time);
            }
            FaultIn::Hang(time) => {
                self.elapsed += time;
                // A short one may be over before anything is read.
                self.is_read_ahead = None;
            }
            FaultIn::Pause(time) | FaultIn::Block(time) => self.elapsed += time,
            FaultIn::BurnCpu(_) | FaultIn::BurnMemory(_) | FaultIn::Custom(false) => {}
            FaultIn::Custom(true) => return Some(Finish::Answer(rule, 418, 2)),
            FaultIn::Status(code) => {
                return Some(Finish::Answer(rule, *code, grpc_code(*code)));
            }
            FaultIn::Grpc(code, Some((messages, on))) if self.call.is_grpc => match on {
                On::Response => {
                    mark(self);
                    self.filters.push(BodyFault::Status(*messages, *code));
                }
                On::Request => {
                    mark(self);
                    self.after_messages = Some((rule, *messages, *code));
                    self.filters.push(BodyFault::StatusOnSignal);
                }
            },
            FaultIn::Grpc(code, _) => {
                return Some(Finish::Answer(rule, http_status(*code), *code));
            }
            FaultIn::Error(kind) => {
                let code = match *kind {
                    "connection_refused" => 14,
                    "timed_out" => 4,
                    _ => 2,
                };
                return Some(Finish::Fail(rule, code));
            }
            FaultIn::Value => return Some(Finish::Fail(rule, 2)),
            FaultIn::Panic => return Some(Finish::Panic),
            FaultIn::Abort(Cut::GoAway, _) => self.goes_away = true,
            FaultIn::Abort(cut, None) => return Some(Finish::Cut(*cut)),
            FaultIn::Abort(cut, Some(bytes)) => {
                mark(self);
                self.filters.push(BodyFault::Cut(*cut, *bytes));
            }
            FaultIn::Body(bytes, On::Response) => {
                mark(self);
                self.filters.push(BodyFault::Bytes(*bytes));
            }
            FaultIn::Body(bytes, On::Request) => self.upload.pass(*bytes),
            FaultIn::SetHeader(On::Response) => {
                mark(self);
                self.head.x_set = Some(id(rule));
            }
            FaultIn::RemoveHeader(On::Response) => {
                mark(self);
                self.head.x_heard = false;
            }
            FaultIn::SetHeader(On::Request) => self.x_ask = Some(id(rule)),
            FaultIn::RemoveHeader(On::Request) => self.x_ask = None,
            FaultIn::OneOf(_) => unreachable!("an option was chosen"),
        }
        None
    }

    fn is_http1(&self) -> bool {
        self.case.protocol == Protocol::Http1
    }

    fn seen(mut self, finish: Option<Finish>) -> Seen {
        let mut seen = match finish {
            Some(finish) => self.finished(finish),
            None => self.served(),
        };
        let is_echo = seen.is_served && self.call.page == Page::Echo;
        seen.is_told_to_go_on = if is_echo {
            Some(true)
        } else {
            self.is_read_ahead
        };
        if self.is_http1() && !self.call.body.is_empty() {
            // What the server has not read of the request, it may reset the connection for.
            if seen.ends.contains(&End::Fin) {
                seen.ends.push(End::Rst);
            }
            seen.goes_on &= is_echo && self.upload.end == FlowEnd::Whole;
        }
        seen.goes_on &= self.call.page != Page::Upgrade;
        seen
    }

    /// What is seen of a call that the service is not called for.
    ///
    /// What was decided for the answer of the service does not apply: no waits, headers or body faults.
    fn finished(&mut self, finish: Finish) -> Seen {
        let fail = match self.case.stack {
            Stack::Axum => None,
            Stack::Hyper => Some(End::StreamReset(Reason::INTERNAL_ERROR)),
        };
        let (http2, answer) = match finish {
            Finish::Answer(rule, status, code) => (None, Some((rule, status, code))),
            Finish::Fail(rule, code) => match fail {
                None => (None, Some((rule, 500, code))),
                some => (some, None),
            },
            Finish::Cut(Cut::Reset) => (Some(End::Rst), None),
            Finish::Cut(Cut::Refuse) => (Some(End::StreamReset(Reason::REFUSED_STREAM)), None),
            Finish::Cut(Cut::Cancel) => (Some(End::StreamReset(Reason::CANCEL)), None),
            Finish::Cut(_) => (Some(End::StreamReset(Reason::INTERNAL_ERROR)), None),
            Finish::Panic => (Some(End::StreamReset(Reason::CANCEL)), None),
        };
        let mut seen = Seen {
            head_after: self.elapsed,
            end_after: self.elapsed,
            ..Seen::default()
        };
        if let Some((rule, status, code)) = answer {
            let mut head = HeadSeen {
                status,
                marks: vec![id(rule)],
                ..HeadSeen::default()
            };
            if self.call.is_grpc {
                (head.status, head.grpc_status) = (200, Some(code));
            }
            seen.body = Flow::of_answer(&head, self.call);
            seen.head = Some(head);
            seen.ends = vec![End::Whole];
            seen.goes_on = true;
            return seen;
        }
        let http2 = http2.expect("a call that is not answered ends otherwise");
        seen.any_reason = self.call.is_grpc;
        seen.ends = vec![match http2 {
            End::Rst => End::Rst,
            _ if self.is_http1() => End::Fin,
            reset => reset,
        }];
        seen.goes_on = !self.is_http1() && !seen.ends.contains(&End::Rst);
        // A server over HTTP/2 cannot cut the answer to HEAD where axum drops its body.
        let is_cut = !matches!(finish, Finish::Panic | Finish::Cut(Cut::Reset));
        let drops_body = self.case.stack == Stack::Axum && self.call.method == Method::HEAD;
        if is_cut && drops_body && !self.is_http1() {
            let status = 500;
            seen.head = Some(HeadSeen {
                status,
                ..HeadSeen::default()
            });
            seen.ends = vec![End::Whole];
        }
        seen
    }

    /// What is seen of a call that the service is called for.
    fn served(&mut self) -> Seen {
        let mut seen = Seen {
            is_served: true,
            x_ask: self.x_ask.clone(),
            ..Seen::default()
        };
        let mut elapsed = self.elapsed;
        if self.call.page == Page::Echo {
            elapsed += self.upload.takes();
            let upload = &mut self.upload;
            upload.is_unknown |= self.after_messages.is_some() && upload.changes > 0;
            if let Some((rule, messages, code)) = self.after_messages
                && upload.messages(messages).is_some()
                && !upload.is_unknown
            {
                let marks = vec![id(rule)];
                seen.head = Some(HeadSeen {
                    status: 200,
                    grpc_status: Some(code),
                    marks,
                    ..HeadSeen::default()
                });
                seen.ends = vec![End::Whole];
                seen.body = Flow::default();
                (seen.head_after, seen.end_after) = (elapsed, elapsed);
                return seen;
            }
            seen.upload = Some(upload.clone());
        }
        let service_takes = match self.call.page {
            Page::Late => LATE.as_millis() as u64,
            _ => 0,
        };
        elapsed = self
            .at_least
            .max(elapsed + service_takes + self.waits_after);
        let mut head = self.head.clone();
        head.status = match self.call.page {
            Page::NoContent => 204,
            Page::NotModified => 304,
            Page::Upgrade => 101,
            Page::Echo if self.upload.end == FlowEnd::Failed => 400,
            _ => 200,
        };
        let mut body = Flow::of_page(self.call, &self.upload);
        for filter in &self.filters {
            match *filter {
                BodyFault::Bytes(bytes) => body.pass(bytes),
                BodyFault::Cut(cut, bytes) => body.cut(cut, bytes),
                BodyFault::Status(messages, code) => body.status_after(messages, code),
                BodyFault::StatusOnSignal => body.length = None,
            }
        }
        head.closes = self.goes_away;
        seen.goes_on = !self.goes_away;
        self.end_of(&body, &mut seen);
        (seen.head_after, seen.end_after) = (elapsed, elapsed + body.takes());
        seen.head = Some(head);
        seen.body = body;
        seen
    }

    /// How a peer of this protocol sees the end of a body.
    fn end_of(&self, body: &Flow, seen: &mut Seen) {
        // Nobody asks for more than the length that the head said.
        let is_complete = body.length == Some(body.bytes.len());
        let end = match body.end {
            FlowEnd::Whole => End::Whole,
            FlowEnd::Short if is_complete || body.length.is_none() => End::Whole,
            FlowEnd::Short if self.is_http1() => End::Fin,
            FlowEnd::Short => End::Malformed(Reason::PROTOCOL_ERROR),
            FlowEnd::Failed | FlowEnd::Cut(_) if is_complete && self.is_http1() => End::Whole,
            FlowEnd::Cut(Cut::Reset) => End::Rst,
            FlowEnd::Failed | FlowEnd::Cut(_) if self.is_http1() => End::Fin,
            FlowEnd::Cut(Cut::Cancel) => End::StreamReset(Reason::CANCEL),
            FlowEnd::Failed | FlowEnd::Cut(_) => End::StreamReset(Reason::INTERNAL_ERROR),
        };
        seen.any_reason = self.call.is_grpc;
        // HTTP/2 drops what waits to be sent on a stream that is reset.
        seen.is_lossy = end == End::Rst || matches!(end, End::StreamReset(_));
        seen.goes_on &= end == End::Whole || !self.is_http1() && end != End::Rst;
        seen.ends = vec![end];
    }
}

/// The gRPC code of an HTTP status, as gRPC maps them.
fn grpc_code(status: u16) -> u16 {
    match status {
        404 => 12,
        429 | 503 => 14,
        _ => 2,
    }
}

/// The HTTP status of a gRPC code, as Google's APIs map them.
fn http_status(code: u16) -> u16 {
    match code {
        8 => 429,
        14 => 503,
        code => unreachable!("{code} is in no rule"),
    }
}
