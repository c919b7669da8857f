//! Random cases, each a function of its seed.

use http::Method;

use super::case::{BytesIn, CallIn, Case, Cut, FaultIn, On, Page, RuleIn, Stack, When};
use crate::support::peer::Protocol;

/// A small generator (SplitMix64): nothing here needs more, and the cases stay what they are.
pub(super) struct Numbers {
    state: u64,
    /// Whether waits are longer than any test, because the client goes.
    are_waits_long: bool,
}

impl Numbers {
    pub(super) fn of(seed: u64) -> Self {
        Self {
            state: seed,
            are_waits_long: false,
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Milliseconds: a few, and rarely so many that the layer looks whether the client is there.
    fn time(&mut self) -> u64 {
        match self.one_in(40) {
            _ if self.are_waits_long => self.one_of(&[0, 20, 60_000]),
            true => 300,
            false => self.one_of(&[0, 1, 3, 8]),
        }
    }
}

pub(super) fn case(seed: u64) -> Case {
    let mut numbers = Numbers::of(seed);
    let numbers = &mut numbers;
    let stack = numbers.one_of(&[Stack::Axum, Stack::Hyper]);
    let protocol = numbers.one_of(&Protocol::BOTH);
    let mut calls: Vec<_> = (0..1 + numbers.below(3))
        .map(|_| call(numbers, protocol))
        .collect();
    if numbers.one_in(6) {
        // What became of such a call is not known for sure, so it is the only one.
        calls.truncate(1);
        calls[0].leaves = Some(numbers.one_of(&[5, 30]));
        calls[0].is_whole = calls[0].body.is_empty() || numbers.one_in(2);
        numbers.are_waits_long = true;
    }
    let mut rules: Vec<_> = (0..1 + numbers.below(4)).map(|_| rule(numbers)).collect();
    // Every choice doubles what may have been, so there are not many.
    let mut choices = 2;
    for rule in &mut rules {
        let mut may_choose = || {
            choices -= 1;
            choices >= 0
        };
        rule.is_rare = rule.is_rare && may_choose();
        for fault in &mut rule.faults {
            if let FaultIn::OneOf(options) = fault
                && !may_choose()
            {
                *fault = options.remove(0);
            }
        }
    }
    let mut case = Case {
        stack,
        protocol,
        rules,
        calls,
    };
    for at in 0..case.rules.len() {
        // Any fault is allowed alone.
        while !case.is_allowed(at) {
            case.rules[at].faults.pop();
        }
    }
    case
}

fn call(numbers: &mut Numbers, protocol: Protocol) -> CallIn {
    let page = match numbers.one_of(&Page::ALL) {
        // HTTP/2 has no such upgrade.
        Page::Upgrade if protocol == Protocol::Http2 => Page::Echo,
        page => page,
    };
    let is_grpc = page == Page::Messages || page == Page::Echo && numbers.one_in(3);
    let method = match page {
        Page::Upgrade => Method::GET,
        Page::Echo | Page::Messages => Method::POST,
        _ => {
            let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
            methods[numbers.below(methods.len())].clone()
        }
    };
    let mut body = Vec::new();
    if method == Method::POST {
        let lengths = [1, 10, 300, 5_000, 40_000];
        body.extend((0..numbers.below(4)).map(|_| numbers.one_of(&lengths)));
    }
    let expects = protocol == Protocol::Http1 && !body.is_empty() && numbers.one_in(4);
    CallIn {
        method,
        page,
        body,
        is_grpc,
        expects,
        leaves: None,
        is_whole: true,
    }
}

fn rule(numbers: &mut Numbers) -> RuleIn {
    let mut faults = Vec::new();
    while faults.is_empty() || numbers.one_in(3) {
        faults.push(fault(numbers, true));
    }
    let some = |numbers: &mut Numbers, most: usize| {
        let number = 1 + numbers.below(most) as u64;
        numbers.one_in(5).then_some(number)
    };
    RuleIn {
        faults,
        is_rare: numbers.one_in(6),
        skip: some(numbers, 2).unwrap_or(0),
        every: some(numbers, 2).unwrap_or(1),
        limit: some(numbers, 2),
        max_active: some(numbers, 2),
        budget: some(numbers, 2).map(|budget| 5 * budget),
        page: numbers.one_in(6).then(|| numbers.one_of(&Page::ALL)),
        is_final: numbers.one_in(8),
        is_shadow: numbers.one_in(12),
    }
}

fn fault(numbers: &mut Numbers, may_choose: bool) -> FaultIn {
    let on = numbers.one_of(&[On::Request, On::Response, On::Response]);
    let size = numbers.one_of(&[1, 5, 18, 60, 4_000]);
    match numbers.below(26) {
        0..=2 => {
            let when = numbers.one_of(&[When::Before, When::After, When::AtLeast]);
            FaultIn::Latency(numbers.time(), when)
        }
        3 => FaultIn::Status(numbers.one_of(&[503, 429, 404, 204, 304, 200])),
        4 => FaultIn::Grpc(14, None),
        5 => FaultIn::Grpc(8, Some((1 + numbers.below(6), on))),
        6 => FaultIn::Error(numbers.one_of(&["connection_refused", "timed_out", "other"])),
        7 => FaultIn::Value,
        8 => FaultIn::Abort(cut(numbers), None),
        9 | 10 => match cut(numbers) {
            Cut::GoAway | Cut::Refuse => FaultIn::Abort(Cut::GoAway, None),
            cut if on == On::Request => FaultIn::AbortUpload(cut, size),
            cut => FaultIn::Abort(cut, Some(size)),
        },
        11 if numbers.one_in(2) => FaultIn::Panic,
        11 | 12 => FaultIn::Hang(numbers.time()),
        13 => FaultIn::Pause(numbers.time()),
        14 => FaultIn::Block(numbers.one_of(&[0, 1, 4])),
        15..=18 => FaultIn::Body(bytes(numbers, size), on),
        19 => FaultIn::SetHeader(on),
        20 => FaultIn::RemoveHeader(on),
        21 if numbers.one_in(2) => FaultIn::BurnCpu(3),
        21 => FaultIn::BurnMemory(3),
        22 | 23 => FaultIn::Custom(numbers.one_in(3)),
        // One that ends the call, and is asked when its turn comes.
        24 => FaultIn::Custom(true),
        _ if may_choose => {
            let options = 2 + numbers.below(2);
            FaultIn::OneOf((0..options).map(|_| fault(numbers, false)).collect())
        }
        _ => FaultIn::Latency(1, When::Before),
    }
}

fn cut(numbers: &mut Numbers) -> Cut {
    numbers.one_of(&[
        Cut::Close,
        Cut::Reset,
        Cut::Refuse,
        Cut::Cancel,
        Cut::GoAway,
    ])
}

fn bytes(numbers: &mut Numbers, size: usize) -> BytesIn {
    match numbers.below(6) {
        // At this rate, the longest body takes a few hundredths of a second.
        0 => BytesIn::Throttle(4_000_000),
        1 => BytesIn::Truncate(size),
        2 => BytesIn::Stall(size, numbers.time()),
        3 => BytesIn::Corrupt,
        4 => BytesIn::FirstByte(numbers.time()),
        _ => BytesIn::Chunk(numbers.one_of(&[1, 3])),
    }
}
