//! The rules that fired on one call and are not over, in order.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    armed::Armed,
    decision::firing::{Firing, plain::PlainFiring},
    gate::Gate,
    hub::Hub,
};

/// The rules that fired on one call.
#[derive(Debug)]
pub(crate) enum Fired {
    /// None, or none that is left.
    Nothing,
    /// One that fired in the plain way, which takes no allocation.
    Plain(PlainFiring),
    /// Boxed, so that a decision is small: it is moved more than once.
    Any(Box<Firings>),
}

/// Rules that fired, of which the first is executed.
#[derive(Debug)]
pub(crate) struct Firings {
    pub(crate) current: Firing,
    rest: VecDeque<Firing>,
}

impl Firings {
    fn new(current: Firing) -> Box<Self> {
        let rest = VecDeque::new();
        Box::new(Self { current, rest })
    }

    /// Returns the rules, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Firing> {
        [&self.current].into_iter().chain(&self.rest)
    }

    /// Returns the first rule, if there is no other.
    pub(crate) fn only(&self) -> Option<&Firing> {
        self.rest.is_empty().then_some(&self.current)
    }
}

impl Fired {
    /// Returns whether no rule is left.
    #[inline(always)]
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Adds a rule.
    pub(crate) fn push(&mut self, firing: Firing, site: &'static str) {
        match self.any(site) {
            Some(firings) => {
                // Thousands of calls may be held at once.
                firings.rest.reserve_exact(1);
                firings.rest.push_back(firing);
            }
            None => *self = Self::Any(Firings::new(firing)),
        }
    }

    /// Returns the rules in the form that has any of them; `None` if none is left.
    pub(crate) fn any(&mut self, site: &'static str) -> Option<&mut Firings> {
        if let Self::Plain(plain) = self {
            let firing = Firing::of_plain(plain.take(site), site);
            *self = Self::Any(Firings::new(firing));
        }
        match self {
            Self::Any(firings) => Some(firings),
            _ => None,
        }
    }

    /// Returns the rule that is executed, and its hub.
    pub(crate) fn current(&self) -> Option<(&Arc<Armed>, &Arc<Hub>)> {
        match self {
            Self::Nothing => None,
            Self::Plain(plain) => Some((plain.rule(), plain.hub())),
            Self::Any(firings) => {
                let active = &*firings.current.active;
                Some((&active.rule, &active.hub))
            }
        }
    }

    /// Returns the gate at which a pause of the current rule waits.
    pub(crate) fn pause(&mut self) -> Option<Arc<Gate>> {
        match self {
            Self::Nothing => None,
            Self::Plain(plain) => Some(plain.rule().arming.pauses.gate()),
            Self::Any(firings) => Some(firings.current.pause()),
        }
    }

    /// Goes on with the next rule.
    pub(crate) fn advance(&mut self) {
        if let Self::Any(firings) = self
            && let Some(next) = firings.rest.pop_front()
        {
            firings.current = next;
            return;
        }
        *self = Self::Nothing;
    }

    /// Drops the rules that are over.
    pub(crate) fn drop_over(&mut self) {
        let is_over = match self {
            Self::Nothing => return,
            Self::Plain(plain) => plain.is_over(),
            Self::Any(firings) => {
                firings.rest.retain(|firing| !firing.active.is_over());
                firings.current.active.is_over()
            }
        };
        if is_over {
            self.advance();
        }
    }
}
