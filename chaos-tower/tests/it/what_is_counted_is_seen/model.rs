//! The model: what the rules of a case do to a call, as their documentation says it, in the simplest way.
//!
//! It decides first which rules fire (`fire`), then walks through their faults in order (`walk`). Chance may
//! decide one way or another, so the model is asked about every way (`outcomes`).

use super::{
    case::{BytesIn, CallIn, Case, FaultIn},
    seen::Seen,
    walk::{Walk, can_act},
};

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
pub(super) struct Choices {
    made: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    pub(super) fn choose(&mut self, ways: usize) -> usize {
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
    let fired = fire(case, call, &mut state, choices);
    let (begun, seen) = if call.leaves.is_some() {
        // Each rule is counted when its turn comes, and the client may go before that.
        let begun = fired.iter().map(|(rule, _)| *rule);
        (begun.filter(|_| choices.choose(2) == 1).collect(), None)
    } else {
        let (begun, seen) = Walk::new(case, call, choices).through(&fired);
        (begun, Some(seen))
    };
    for (rule, steps) in &fired {
        let state = &mut state[*rule];
        match begun.contains(rule) {
            true => state.injected += 1,
            false => give_back(state, steps),
        }
    }
    (state, seen)
}

/// The rules that fire, in order, each with the faults that may happen.
fn fire(
    case: &Case,
    call: &CallIn,
    state: &mut State,
    choices: &mut Choices,
) -> Vec<(usize, Vec<FaultIn>)> {
    let (mut fired, mut has_ended) = (Vec::new(), false);
    for (at, rule) in case.rules.iter().enumerate() {
        let state = &mut state[at];
        // Behind a rule that ends the call, only those are asked that act on the response.
        let acts = rule.faults.iter().any(FaultIn::acts_on_response);
        if rule.page.is_some_and(|page| page != call.page) || has_ended && !acts {
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
        let (mut steps, mut ends) = (Vec::new(), has_ended);
        for fault in &rule.faults {
            let fault = match fault {
                FaultIn::OneOf(options) => &options[choices.choose(options.len())],
                fault => fault,
            };
            if ends && !fault.acts_on_response() || !can_act(case, call, fault) {
                continue;
            }
            ends |= fault.ends_call();
            steps.push(fault.clone());
        }
        let delay = delay(&steps);
        let is_too_much = |budget| delay > 0 && state.delay + delay > budget;
        if steps.is_empty() || rule.budget.is_some_and(is_too_much) {
            continue;
        }
        state.spent += 1;
        state.delay += delay;
        has_ended = ends;
        fired.push((at, steps));
        if rule.is_final {
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
