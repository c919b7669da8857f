//! Which faults of a rule can happen beside each other. It is a child of `fault`, since it reads the enum.

use bytes::Bytes;

use super::{Abort, Fault};
use crate::{error::RuleError, plan::cut::CutKind};

/// What a fault that ends the call leaves for those that act on the response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remains {
    Response,
    ResponseWithoutBody,
    /// The call is cut off. That can be delayed, and the connection can go away.
    Cut,
    /// A panic, or the end of the process.
    Nothing,
}

/// Why a fault cannot happen, and what is allowed.
type Problem = (&'static str, &'static str);

const AFTER_THE_END: Problem = (
    "comes after a fault that ends the call",
    "a fault that ends the call behind it; after that one, only what acts on the response: `latency` with \
     `when`, `headers`, `body`, and `abort` with `after`",
);
const NO_BODY: Problem = (
    "acts on a body, and another fault answers without one",
    "an answer with a body",
);
const NO_RESPONSE: Problem = (
    "acts on a response, and another fault cuts the call off",
    "an answer, or a cut after a number of bytes",
);
const NO_RESULT: Problem = (
    "acts on a result, and another fault panics or ends the process",
    "a fault that ends the call with a result",
);

/// Checks that each of the faults can happen on some call.
pub(crate) fn check(faults: &[Fault]) -> Result<(), RuleError> {
    for (at, fault) in faults.iter().enumerate() {
        // Of a choice, one option that can happen is enough.
        if let Some((problem, allowed)) = of_each(fault, |option| exclusion(option, at, faults)) {
            return Err(RuleError::new(format!("faults[{at}]"), problem, allowed));
        }
    }
    Ok(())
}

/// Returns why a fault in place `at` cannot happen because of one of the others; `None` if it can.
fn exclusion(fault: &Fault, at: usize, faults: &[Fault]) -> Option<Problem> {
    let mut others = faults.iter().enumerate().filter(|(place, _)| *place != at);
    others.find_map(|(place, other)| of_each(other, |other| excludes(other, fault, place < at)))
}

/// Returns why `fault` cannot happen on a call that `other` hits. `is_first`: `other` comes first.
fn excludes(other: &Fault, fault: &Fault, is_first: bool) -> Option<Problem> {
    let remains = remains(other)?;
    if !fault.acts_on_response() {
        return is_first.then_some(AFTER_THE_END);
    }
    let needs_body = match fault {
        Fault::Body(..) => true,
        Fault::Abort(Abort::Cut(kind), _) => *kind != CutKind::GoAway,
        _ => false,
    };
    let needs_response = needs_body || matches!(fault, Fault::Headers(..));
    match remains {
        Remains::Response => None,
        Remains::ResponseWithoutBody => needs_body.then_some(NO_BODY),
        Remains::Cut => needs_response.then_some(NO_RESPONSE),
        Remains::Nothing => Some(NO_RESULT),
    }
}

/// Returns what a fault leaves of the call that it ends; `None` if it does not end the call.
fn remains(fault: &Fault) -> Option<Remains> {
    if !fault.ends_call() {
        return None;
    }
    Some(match fault {
        Fault::Status(answer) => {
            let is_empty = answer.content().is_some_and(Bytes::is_empty);
            match is_empty || !answer.allows_body() {
                true => Remains::ResponseWithoutBody,
                false => Remains::Response,
            }
        }
        Fault::Abort(Abort::Cut(_), _) => Remains::Cut,
        Fault::Abort(Abort::Panic | Abort::Exit, _) => Remains::Nothing,
        _ => Remains::Response,
    })
}

/// Returns the problem of a fault; for a choice, the last one, if each of its options has one.
fn of_each(fault: &Fault, problem: impl Fn(&Fault) -> Option<Problem>) -> Option<Problem> {
    match fault {
        Fault::OneOf(one_of) => {
            let mut problems = one_of.faults().map(problem);
            problems.try_fold(AFTER_THE_END, |_, problem| problem)
        }
        fault => problem(fault),
    }
}
