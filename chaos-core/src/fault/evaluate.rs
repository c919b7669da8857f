//! What a fault does on one call: whether it can happen at the site, which option of a choice is
//! drawn, and the step that is executed. It is a child of `fault`, since it extends the enum.

use std::{
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use super::{Fault, When, prepared::PreparedAnswers};
use crate::{
    call::site_kind::SiteKinds,
    dice::Dice,
    fault::step::Step,
    name::RuleId,
    plan::{
        Plan, Wait, WaitAfter, WaitKind,
        answer::{Answer, PreparedAnswer},
        cut::{Abort, Cut, CutKind},
        injected::Injected,
    },
};

impl Fault {
    /// Returns the kinds of sites where the fault can happen. A rule does not fire at a site where
    /// none of its faults can happen.
    pub(crate) fn site_kinds(&self) -> SiteKinds {
        match self {
            Self::Latency(..) | Self::Error(_) | Self::Abort(..) | Self::Hang(_) => SiteKinds::ALL,
            Self::Pause(_) | Self::Block(_) | Self::Burn(_) | Self::Custom(_) => SiteKinds::ALL,
            Self::Status(_) | Self::Grpc(..) | Self::Value(_) => SiteKinds::CODE_AND_REQUESTS,
            Self::Headers(..) => SiteKinds::REQUESTS,
            Self::Body(..) => SiteKinds::REQUESTS_AND_CONNECTIONS,
            Self::OneOf(one_of) => {
                let site_kinds = one_of.faults().map(Self::site_kinds);
                site_kinds.fold(SiteKinds::NONE, SiteKinds::or)
            }
        }
    }

    /// Returns whether every policy bounds the fault, or an option of the choice.
    pub(crate) fn is_always_bounded(&self) -> bool {
        match self {
            Self::Abort(Abort::Exit, _) | Self::Burn(_) => true,
            Self::OneOf(one_of) => one_of.faults().any(Self::is_always_bounded),
            _ => false,
        }
    }

    /// Returns whether the fault, which is no choice, resets a connection.
    pub(crate) fn resets(&self) -> bool {
        matches!(self, Self::Abort(Abort::Cut(CutKind::Reset), _))
    }

    /// Returns whether the fault ends the call with an answer or an error, and nothing comes before that.
    pub(crate) fn ends_at_once(&self) -> bool {
        match self {
            Self::Status(_) | Self::Error(_) | Self::Value(_) => true,
            Self::Grpc(_, after) => after.is_none(),
            _ => false,
        }
    }

    /// Returns the error for plain code of a fault that [ends the call at once](Self::ends_at_once).
    #[inline]
    pub(crate) fn injected(
        &self,
        rule: &RuleId,
        answers: &PreparedAnswers,
        site: &'static str,
    ) -> Option<Injected> {
        if let Self::Error(error) = self {
            return Some(error.injected(rule, site));
        }
        match self.step(rule, answers, site, &mut Dice::Thread) {
            Step::Plan(Plan::Fail(injected)) => Some(injected),
            Step::Plan(Plan::Answer(answer)) => Some(answer.into_injected()),
            _ => None,
        }
    }

    /// Returns whether the fault delays the call before it is served, and cannot be released.
    pub(crate) fn only_waits(&self) -> bool {
        matches!(
            self,
            Self::Latency(_, When::Before) | Self::Hang(_) | Self::Block(_)
        )
    }

    /// Returns the fault that happens on this call: itself, or the option that is drawn now, or
    /// `None` if it cannot happen.
    pub(crate) fn chosen(
        &self,
        dice: &mut Dice,
        can_happen: impl Fn(&Self) -> bool,
    ) -> Option<&Self> {
        match self {
            fault if !can_happen(fault) => None,
            Self::OneOf(one_of) => one_of.choose(dice, can_happen),
            fault => Some(fault),
        }
    }

    /// Turns the fault into what is done on one call. Draws what has to be drawn. `answers` are those of the rule.
    pub(crate) fn step(
        &self,
        rule: &RuleId,
        answers: &PreparedAnswers,
        site: &'static str,
        dice: &mut Dice,
    ) -> Step {
        let wait = |time: Duration, kind| Plan::Wait(Wait { time, kind });
        Step::Plan(match self {
            Self::Latency(latency, when) => match (latency.sample(dice), when) {
                (time, When::Before) => wait(time, WaitKind::Delay),
                (time, When::After) => Plan::WaitAfter(WaitAfter::For(time)),
                (time, When::AtLeast) => Plan::WaitAfter(WaitAfter::AtLeast(time)),
            },
            Self::Status(answer) => {
                let prepare = || PreparedAnswer::http(rule, answer);
                Plan::Answer(Answer::new(answers.answer(self, prepare), site))
            }
            Self::Grpc(status, after) => {
                let prepare = || PreparedAnswer::grpc(rule, status, *after);
                Plan::Answer(Answer::new(answers.answer(self, prepare), site))
            }
            Self::Error(error) => Plan::Fail(error.injected(rule, site)),
            Self::Value(json) => {
                static MESSAGE: LazyLock<Arc<str>> =
                    LazyLock::new(|| "a value in place of the real one".into());
                let (kind, message) = (io::ErrorKind::Other, Arc::clone(&MESSAGE));
                let injected = Injected::new(rule.clone(), site, kind, message);
                Plan::Fail(injected.with_value(Arc::clone(json)))
            }
            Self::Abort(Abort::Cut(kind), after) => {
                Plan::Cut(Cut::new(rule.clone(), site, *kind, *after))
            }
            Self::Abort(Abort::Panic, _) => return Step::Panic,
            Self::Abort(Abort::Exit, _) => return Step::Exit,
            Self::Hang(max) => wait(max.0, WaitKind::Hang),
            Self::Pause(max) => wait(max.0, WaitKind::Pause),
            Self::Block(time) => wait(time.0, WaitKind::Block),
            Self::Body(bytes, direction) => Plan::Bytes(bytes.plan(dice), *direction),
            Self::Headers(edit, direction) => Plan::Headers(edit.clone(), *direction),
            Self::Burn(burn) => return Step::Burn(Box::new(*burn)),
            Self::Custom(custom) => return Step::Custom(Box::new(custom.clone())),
            // Callers resolve a choice with `chosen` first. One that forgets to gets the first
            // option.
            Self::OneOf(one_of) => return one_of.options()[0].1.step(rule, answers, site, dice),
        })
    }
}
