//! A walk through the faults of one call, in order: what each of them does to what both ends see, and which
//! of the rules are counted.

use std::collections::BTreeSet;

use h2::Reason;
use http::{Method, StatusCode};

use super::{
    case::{BytesIn, CallIn, Case, Cut, FaultIn, On, Page, Stack, When, id},
    flow::{Flow, FlowEnd},
    model::Choices,
    seen::{HeadSeen, Seen},
    server::LATE,
};
use crate::support::{heard::End, peer::Protocol};

/// How a call ends that the service is not called for.
#[derive(Clone, Copy)]
enum Finish {
    /// With this HTTP status, or with this gRPC code.
    Answer(usize, u16, u16),
    /// With this gRPC code, or with the HTTP status for it.
    Grpc(usize, u16),
    /// With an error of this code in gRPC.
    Fail(usize, &'static str, u16),
    Cut(Cut),
    Panic,
}

pub(super) struct Walk<'c> {
    case: &'c Case,
    call: &'c CallIn,
    choices: &'c mut Choices,
    /// The rules that are counted.
    begun: BTreeSet<usize>,
    elapsed: u64,
    x_ask: Option<String>,
    upload: Flow,
    /// What is to be done to the body of the request if the service is called.
    upload_faults: Vec<(usize, FaultIn)>,
    /// Which of those act, by position.
    acting_uploads: BTreeSet<usize>,
    /// Whether the body may be read before the service asks for it.
    may_be_read_ahead: bool,
    /// What holds the result back, in order.
    waits: Vec<(usize, WaitAfter)>,
    /// The changes of the answer, in the order in which they are made.
    changes: Vec<(usize, Change)>,
    /// After so many messages of the request, this rule answers with this code.
    after_messages: Option<(usize, usize, u16)>,
    /// How the call is cut if the service asks for more of the request than may pass.
    cut_upload: Option<Cut>,
    goes_away: bool,
}

#[derive(Clone, Copy)]
enum WaitAfter {
    For(u64),
    Until(u64),
}

#[derive(Clone, Copy)]
enum Change {
    SetHeader,
    RemoveHeader,
    Bytes(BytesIn),
    Cut(Cut, usize),
    Status(usize, u16),
    /// A status after messages of the request: the length of the body is no longer known.
    StatusOnSignal(usize),
    /// A cut after bytes of the request, which the service has not asked for.
    CutOnSignal(usize),
}

impl<'c> Walk<'c> {
    pub(super) fn new(case: &'c Case, call: &'c CallIn, choices: &'c mut Choices) -> Self {
        Self {
            case,
            call,
            choices,
            begun: BTreeSet::new(),
            elapsed: 0,
            x_ask: Some("client".into()),
            upload: Flow::of_upload(call, case.protocol),
            upload_faults: Vec::new(),
            acting_uploads: BTreeSet::new(),
            may_be_read_ahead: false,
            waits: Vec::new(),
            changes: Vec::new(),
            after_messages: None,
            cut_upload: None,
            goes_away: false,
        }
    }

    /// Returns the rules that are counted, and what is seen.
    pub(super) fn through(mut self, fired: &[(usize, Vec<FaultIn>)]) -> (BTreeSet<usize>, Seen) {
        let (mut finish, mut has_ended) = (None, false);
        'walk: for (rule, steps) in fired {
            for fault in steps {
                if has_ended && !fault.acts_on_response() {
                    continue;
                }
                has_ended |= fault.ends_call() || matches!(fault, FaultIn::Custom(true));
                let finishes = self.step(*rule, fault);
                finish = finish.or(finishes);
                if matches!(finish, Some(Finish::Panic)) {
                    break 'walk;
                }
            }
        }
        let seen = self.seen(finish);
        (self.begun, seen)
    }

    /// Takes the next fault of this rule, and returns how the call ends if it does not reach the service.
    fn step(&mut self, rule: usize, fault: &FaultIn) -> Option<Finish> {
        match fault {
            FaultIn::Latency(time, When::After) => {
                self.waits.push((rule, WaitAfter::For(*time)));
                return None;
            }
            FaultIn::Latency(time, When::AtLeast) => {
                let until = match time {
                    0 => 0,
                    time => self.elapsed + time,
                };
                self.waits.push((rule, WaitAfter::Until(until)));
                return None;
            }
            FaultIn::Abort(cut, Some(bytes)) => {
                self.changes.push((rule, Change::Cut(*cut, *bytes)));
                return None;
            }
            FaultIn::Body(bytes, On::Response) => {
                self.changes.push((rule, Change::Bytes(*bytes)));
                return None;
            }
            FaultIn::SetHeader(On::Response) => {
                self.changes.push((rule, Change::SetHeader));
                return None;
            }
            FaultIn::RemoveHeader(On::Response) => {
                self.changes.push((rule, Change::RemoveHeader));
                return None;
            }
            FaultIn::Body(_, On::Request) => {
                self.upload_faults.push((rule, fault.clone()));
                return None;
            }
            FaultIn::AbortUpload(..) => {
                let change = Change::CutOnSignal(self.upload_faults.len());
                self.changes.push((rule, change));
                self.upload_faults.push((rule, fault.clone()));
                return None;
            }
            FaultIn::Grpc(code, Some((messages, on))) if self.call.is_grpc => {
                match on {
                    On::Response => self.changes.push((rule, Change::Status(*messages, *code))),
                    On::Request => {
                        let change = Change::StatusOnSignal(self.upload_faults.len());
                        self.changes.push((rule, change));
                        self.upload_faults.push((rule, fault.clone()));
                    }
                }
                return None;
            }
            _ => {}
        }
        // Whatever else there is begins at once.
        self.begun.insert(rule);
        match fault {
            FaultIn::Block(time) => self.elapsed += time,
            FaultIn::Latency(time, _) | FaultIn::Pause(time) | FaultIn::Hang(time) => {
                self.elapsed += time;
                self.may_be_read_ahead = !self.call.expects;
            }
            FaultIn::Custom(true) => return Some(Finish::Answer(rule, 418, 2)),
            FaultIn::Status(code) => return Some(Finish::Answer(rule, *code, grpc_code(*code))),
            FaultIn::Grpc(code, _) => {
                return Some(Finish::Grpc(rule, *code));
            }
            FaultIn::Error(kind) => {
                let code = match *kind {
                    "connection_refused" => 14,
                    "timed_out" => 4,
                    _ => 2,
                };
                return Some(Finish::Fail(rule, "injected", code));
            }
            FaultIn::Value => {
                return Some(Finish::Fail(rule, "a value in place of the real one", 2));
            }
            FaultIn::Panic => return Some(Finish::Panic),
            FaultIn::Abort(Cut::GoAway, _) => self.goes_away = true,
            FaultIn::Abort(cut, _) => return Some(Finish::Cut(*cut)),
            FaultIn::SetHeader(_) => self.x_ask = Some(id(rule)),
            FaultIn::RemoveHeader(_) => self.x_ask = None,
            _ => {}
        }
        None
    }

    fn is_http1(&self) -> bool {
        self.case.protocol == Protocol::Http1
    }

    /// Does to the request's body what acts on it. The service is called now.
    fn pass_upload(&mut self) {
        let faults = std::mem::take(&mut self.upload_faults);
        if faults.is_empty() {
            return;
        }
        let most = match self.upload.length {
            // It was read whole while the call waited, or it was not.
            None if self.may_be_read_ahead && self.choices.choose(2) == 1 => {
                Some(self.call.bytes().len())
            }
            length => length,
        };
        let place = |fault: &FaultIn| match fault {
            FaultIn::Body(BytesIn::Truncate(bytes), _) | FaultIn::AbortUpload(_, bytes) => {
                Place::End(*bytes)
            }
            FaultIn::Body(BytesIn::Stall(bytes, _), _) => Place::Stall(*bytes),
            _ => Place::Bytes,
        };
        let acts = |place: Place| most.is_none_or(|most| most > place.spared());
        let places: Vec<_> = (faults.iter())
            .map(|(_, fault)| Some(place(fault)).filter(|place| acts(*place)))
            .collect();
        for (at, (rule, fault)) in faults.into_iter().enumerate() {
            if !is_in_time(&places, at) {
                continue;
            }
            self.begun.insert(rule);
            self.acting_uploads.insert(at);
            let length = self.upload.bytes.len();
            match fault {
                FaultIn::Body(bytes, _) => {
                    // Over HTTP/2, the end may have come by then or not.
                    let spared = place(&FaultIn::Body(bytes, On::Request)).spared();
                    let is_all = spared > 0 && spared == length;
                    self.upload.is_unknown |= is_all && self.upload.length.is_none();
                    self.upload.pass(bytes);
                }
                FaultIn::AbortUpload(cut, bytes) => {
                    self.upload.is_unknown |= self.cut_upload.is_some() || bytes >= length;
                    self.upload.cut(cut, bytes);
                    self.cut_upload = Some(cut);
                }
                FaultIn::Grpc(code, Some((messages, _))) => {
                    self.after_messages = Some((rule, messages, code));
                }
                _ => {}
            }
        }
    }

    /// Waits, and counts the rules that hold the result back.
    fn wait_all(&mut self, mut elapsed: u64) -> u64 {
        for (rule, wait) in std::mem::take(&mut self.waits) {
            match wait {
                WaitAfter::For(time) => elapsed += time,
                // A call may have taken so long by itself, for this machine may be busy.
                WaitAfter::Until(time) if time > 0 && self.choices.choose(2) == 0 => {
                    elapsed = elapsed.max(time);
                }
                WaitAfter::Until(_) => continue,
            }
            self.begun.insert(rule);
        }
        elapsed
    }

    fn seen(&mut self, finish: Option<Finish>) -> Seen {
        let mut seen = match finish {
            Some(finish) => self.finished(finish),
            None => self.served(),
        };
        let is_echo = seen.is_served && self.call.page == Page::Echo;
        // Not before the service asks for the body.
        seen.is_told_to_go_on = is_echo;
        if self.is_http1() && !self.call.body.is_empty() {
            // What the server has not read of the request, it may reset the connection for.
            if seen.ends.contains(&End::Fin) {
                seen.ends.push(End::Rst);
            }
            let is_read = seen.upload.is_some() && self.upload.end == FlowEnd::Whole;
            seen.goes_on &= is_echo && is_read;
        }
        seen.goes_on &= self.call.page != Page::Upgrade && !self.goes_away;
        seen.goes_on &= !self.upload.is_unknown;
        seen
    }

    /// What is seen of a call that the service is not called for.
    fn finished(&mut self, finish: Finish) -> Seen {
        let mut seen = Seen::default();
        if !matches!(finish, Finish::Panic) {
            let elapsed = self.wait_all(self.elapsed);
            (seen.head_after, seen.end_after) = (elapsed, elapsed);
        }
        let reason = match finish {
            Finish::Answer(rule, status, code) => {
                let line = StatusCode::from_u16(status).expect("a status");
                let text = format!("{line} by chaos rule {}\n", id(rule));
                self.answer(&mut seen, (rule, status, code), text);
                return seen;
            }
            Finish::Grpc(rule, code) => {
                let answer = (rule, http_status(code), code);
                self.answer(&mut seen, answer, "injected\n".into());
                return seen;
            }
            Finish::Fail(rule, message, code) if self.case.stack == Stack::Axum => {
                let text = format!("{message} (injected at http.server by rule {})\n", id(rule));
                self.answer(&mut seen, (rule, 500, code), text);
                return seen;
            }
            Finish::Cut(Cut::Reset) => {
                seen.ends = vec![End::Rst];
                return seen;
            }
            Finish::Cut(Cut::Refuse) => Reason::REFUSED_STREAM,
            Finish::Cut(Cut::Cancel) | Finish::Panic => Reason::CANCEL,
            Finish::Cut(_) | Finish::Fail(..) => Reason::INTERNAL_ERROR,
        };
        seen.any_reason = self.call.is_grpc;
        (seen.ends, seen.goes_on) = match self.is_http1() {
            true => (vec![End::Fin], false),
            false => (vec![End::StreamReset(reason)], true),
        };
        seen
    }

    /// An answer that a rule makes, and what other rules make of it.
    fn answer(&mut self, seen: &mut Seen, (rule, status, code): (usize, u16, u16), text: String) {
        let mut head = HeadSeen {
            status,
            marks: vec![id(rule)],
            ..HeadSeen::default()
        };
        let mut body = Flow::whole(text.into_bytes());
        if self.call.is_grpc {
            (head.status, head.grpc_status) = (200, Some(code));
            body = Flow::whole(Vec::new());
        } else if [204, 304].contains(&status) || self.call.method == Method::HEAD {
            body = Flow::whole(Vec::new());
        }
        self.change(seen, head, body);
    }

    /// What is seen of a call that the service is called for.
    fn served(&mut self) -> Seen {
        self.pass_upload();
        let mut seen = Seen {
            is_served: true,
            x_ask: self.x_ask.clone(),
            ..Seen::default()
        };
        let mut elapsed = self.elapsed;
        if self.call.page == Page::Echo {
            elapsed += self.upload.takes();
            self.upload.is_unknown |= self.after_messages.is_some() && self.upload.changes > 0;
            self.upload.is_unknown |= self.after_messages.is_some() && self.cut_upload.is_some();
            seen.upload = Some(self.upload.clone());
            let cut = match self.upload.end {
                FlowEnd::Cut(cut) if !self.upload.is_unknown => Some(cut),
                // Behind the last byte the cut comes before the response, or not.
                _ if self.upload.is_unknown => {
                    self.cut_upload.filter(|_| self.choices.choose(2) == 1)
                }
                _ => None,
            };
            if let Some(cut) = cut {
                self.elapsed = elapsed;
                let upload = seen.upload.take();
                if cut == Cut::Reset {
                    // The connection is reset at once, and what waits then may have begun or not.
                    for (rule, _) in std::mem::take(&mut self.waits) {
                        if self.choices.choose(2) == 0 {
                            self.begun.insert(rule);
                        }
                    }
                }
                return Seen {
                    is_served: true,
                    x_ask: self.x_ask.clone(),
                    upload,
                    ..self.finished(Finish::Cut(cut))
                };
            }
            if let Some((rule, messages, code)) = self.after_messages
                && self.upload.messages(messages).is_some()
                && !self.upload.is_unknown
            {
                seen.upload = None;
                let elapsed = self.wait_all(elapsed);
                (seen.head_after, seen.end_after) = (elapsed, elapsed);
                self.answer(&mut seen, (rule, 200, code), String::new());
                return seen;
            }
        }
        if self.call.page == Page::Late {
            elapsed += LATE.as_millis() as u64;
        }
        let elapsed = self.wait_all(elapsed);
        (seen.head_after, seen.end_after) = (elapsed, elapsed);
        let head = HeadSeen {
            x_heard: true,
            status: match self.call.page {
                Page::NoContent => 204,
                Page::NotModified => 304,
                Page::Upgrade => 101,
                Page::Echo if self.upload.end != FlowEnd::Whole => 400,
                _ => 200,
            },
            ..HeadSeen::default()
        };
        let body = Flow::of_page(self.call, &self.upload);
        self.change(&mut seen, head, body);
        seen
    }

    /// Changes an answer as the rules say that can act on it.
    fn change(&mut self, seen: &mut Seen, mut head: HeadSeen, mut body: Flow) {
        let changes = std::mem::take(&mut self.changes);
        let place = |change: Change| match change {
            Change::Bytes(BytesIn::Truncate(bytes)) | Change::Cut(_, bytes) => Place::End(bytes),
            Change::Bytes(BytesIn::Stall(bytes, _)) => Place::Stall(bytes),
            Change::Bytes(_) | Change::Status(..) => Place::Bytes,
            _ => Place::Elsewhere,
        };
        let places: Vec<_> = (changes.iter())
            .map(|(_, change)| {
                let acts = self.acts_alone(*change, body.length);
                acts.then(|| place(*change))
            })
            .collect();
        let changes = changes.into_iter().enumerate();
        let acting = changes.filter(|(at, _)| is_in_time(&places, *at));
        for (rule, change) in acting.map(|(_, acting)| acting) {
            self.begun.insert(rule);
            head.marks.push(id(rule));
            match change {
                Change::SetHeader => head.x_set = Some(id(rule)),
                Change::RemoveHeader => head.x_heard = false,
                Change::Bytes(bytes) => body.pass(bytes),
                Change::Cut(cut, bytes) => body.cut(cut, bytes),
                Change::Status(messages, code) => body.status_after(messages, code),
                Change::StatusOnSignal(_) => body.length = None,
                Change::CutOnSignal(_) => {}
            }
        }
        head.closes = self.goes_away && head.status != 101;
        self.end_of(&body, seen);
        seen.end_after += body.takes();
        seen.head = Some(head);
        seen.body = body;
    }

    /// Whether a change finds something to act on in an answer of at most so many bytes.
    fn acts_alone(&self, change: Change, most: Option<usize>) -> bool {
        let is_more = |bytes: usize| most.is_none_or(|most| most > bytes);
        match change {
            Change::SetHeader | Change::RemoveHeader => true,
            Change::Bytes(BytesIn::Truncate(bytes) | BytesIn::Stall(bytes, _)) => is_more(bytes),
            // A stream of HTTP/2 can be cut behind its last byte.
            Change::Cut(_, bytes) => {
                is_more(bytes) || !self.is_http1() && bytes > 0 && most == Some(bytes)
            }
            Change::Bytes(_) | Change::Status(..) => is_more(0),
            Change::StatusOnSignal(upload) | Change::CutOnSignal(upload) => {
                self.acting_uploads.contains(&upload) && is_more(0)
            }
        }
    }

    /// How a peer of this protocol sees the end of a body.
    fn end_of(&self, body: &Flow, seen: &mut Seen) {
        // Nobody asks for more than the length that the head said.
        let is_complete = body.length == Some(body.bytes.len());
        let end = match body.end {
            FlowEnd::Whole => End::Whole,
            FlowEnd::Failed | FlowEnd::Cut(_) if is_complete && self.is_http1() => End::Whole,
            FlowEnd::Cut(Cut::Reset) => End::Rst,
            FlowEnd::Failed | FlowEnd::Cut(_) if self.is_http1() => End::Fin,
            FlowEnd::Cut(Cut::Cancel) => End::StreamReset(Reason::CANCEL),
            FlowEnd::Failed | FlowEnd::Cut(_) => End::StreamReset(Reason::INTERNAL_ERROR),
        };
        seen.any_reason = self.call.is_grpc;
        // HTTP/2 drops what waits to be sent on a stream that is reset.
        seen.is_lossy = end == End::Rst || matches!(end, End::StreamReset(_));
        seen.goes_on = end == End::Whole || !self.is_http1() && end != End::Rst;
        seen.ends = vec![end];
    }
}

/// Where a fault acts on a body.
#[derive(Clone, Copy)]
enum Place {
    /// It ends the body after so many bytes.
    End(usize),
    /// It holds back what comes after so many bytes, if only the end.
    Stall(usize),
    /// It acts on any byte.
    Bytes,
    /// It depends on no byte.
    Elsewhere,
}

impl Place {
    fn spared(self) -> usize {
        match self {
            Self::End(bytes) | Self::Stall(bytes) => bytes,
            Self::Bytes | Self::Elsewhere => 0,
        }
    }
}

/// Whether a fault of those that would act alone acts before the body has ended.
fn is_in_time(places: &[Option<Place>], at: usize) -> bool {
    let Some(place) = places[at] else {
        return false;
    };
    // The first end is what all others come too late for. Of two, the last is asked first.
    let mut end: Option<(usize, usize)> = None;
    for (at, place) in places.iter().enumerate() {
        if let Some(Place::End(bytes)) = *place
            && end.is_none_or(|(_, least)| bytes <= least)
        {
            end = Some((at, bytes));
        }
    }
    end.is_none_or(|(end, least)| match place {
        Place::End(_) => at == end,
        // One that is asked before the end is asked holds it back.
        Place::Stall(bytes) => bytes < least || bytes == least && at > end,
        Place::Bytes => least > 0,
        Place::Elsewhere => true,
    })
}

/// Whether there is something that a fault could do to a call.
pub(super) fn can_act(case: &Case, call: &CallIn, fault: &FaultIn) -> bool {
    let FaultIn::Abort(cut, None) = fault else {
        return true;
    };
    // axum drops the body of an answer to HEAD, and with it what would cut it.
    let drops_body = case.stack == Stack::Axum && call.method == Method::HEAD;
    !drops_body || case.protocol == Protocol::Http1 || [Cut::Reset, Cut::GoAway].contains(cut)
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
