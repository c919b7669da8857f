//! The rules that aim at one site, in order, and how a call is asked about by all of them.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use crate::{
    armed::{Armed, Verdict, draw::Hit},
    call::{Call, site_kind::SiteKind},
    decision::firing::Firing,
    guard_rail::monitor::Monitor,
    hub::Hub,
    matcher::index::Index,
};

/// Where a call is: the site's name and kind.
pub(crate) type Here = (&'static str, SiteKind);

/// One call, and the rules that fired on it.
pub(crate) struct Evaluation<'c> {
    pub(crate) call: &'c Call<'c>,
    pub(crate) here: Here,
    /// Whether nothing may happen to it, whatever the rules say.
    pub(crate) is_exempt: bool,
    pub(crate) fired: Vec<Firing>,
}

/// Rules that are asked one by one. Where there are more, they are looked up in an index.
const FEW: usize = 8;

/// The guard rails that watch a site, and until when. Most sites have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteMonitors(pub(crate) Option<(Arc<[Arc<Monitor>]>, Duration)>);

impl SiteMonitors {
    fn are_the_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some((watches, _)), Some((others, _))) => {
                watches.len() == others.len()
                    && (watches.iter().zip(&**others)).all(|(a, b)| Arc::ptr_eq(a, b))
            }
            _ => false,
        }
    }
}

/// The rules that aim at one site, in order.
#[derive(Clone, Debug)]
pub(crate) struct SiteRules {
    pub(crate) hub: Arc<Hub>,
    pub(crate) rules: Arc<[Arc<Armed>]>,
    /// Of many rules. It knows them by their place, so those that are switched off keep theirs.
    index: Option<Arc<Index>>,
    /// How many of the rules are switched on.
    on: usize,
    /// Until when overlays aim here, too, if any do: their rules come first.
    overlaid: Option<Duration>,
    /// Whether the policy bounds the share of calls, so that they must be counted.
    counts_calls: bool,
    watched: SiteMonitors,
    /// Whether there is nothing but rules to be asked one by one: one thing to look at on each call.
    is_plain: bool,
    /// When the last of them expires.
    last_deadline: Duration,
}

impl SiteRules {
    /// The rules among these that are switched on, in order; `None` if there is nothing to ask.
    pub(crate) fn of(
        hub: &Arc<Hub>,
        mut rules: Vec<Arc<Armed>>,
        overlaid: Option<Duration>,
        watched: SiteMonitors,
    ) -> Option<Self> {
        let on = rules.iter().filter(|rule| rule.rule.enabled).count();
        if on == 0 && overlaid.is_none() && watched.0.is_none() {
            return None;
        }
        if on <= FEW {
            rules.retain(|rule| rule.rule.enabled);
        }
        let counts_calls = hub.bounds.load().policy.budget.counts_calls();
        let index = (on > FEW).then(|| {
            let matchers = rules.iter().map(|rule| &rule.rule.matcher);
            Arc::new(Index::of(matchers))
        });
        Some(Self {
            hub: Arc::clone(hub),
            last_deadline: last_deadline(&rules),
            rules: rules.into(),
            is_plain: index.is_none() && overlaid.is_none() && watched.0.is_none() && !counts_calls,
            counts_calls,
            watched,
            index,
            on,
            overlaid,
        })
    }

    /// The same with one rule in the place of another of the same kind; `None` if that takes more.
    pub(crate) fn swapped(&self, [before, after]: &[Arc<Armed>; 2]) -> Option<Self> {
        let is_indexed = self.index.is_some() && before.rule.matcher == after.rule.matcher;
        let place = || self.rules.iter().position(|rule| Arc::ptr_eq(rule, before));
        let place = is_indexed.then(place).flatten()?;
        let on = |rule: &Armed| usize::from(rule.rule.enabled);
        let on = self.on + on(after) - on(before);
        let rules = (0..)
            .zip(&*self.rules)
            .map(|(at, rule)| Arc::clone(if at == place { after } else { rule }));
        let rules: Arc<[_]> = rules.collect();
        (on > FEW).then(|| Self {
            last_deadline: last_deadline(&rules),
            rules,
            on,
            ..self.clone()
        })
    }

    /// The same rules, with or without overlays; `None` if that leaves nothing.
    pub(crate) fn overlaid(&self, overlaid: Option<Duration>) -> Option<Self> {
        (self.on > 0 || overlaid.is_some() || self.watched.0.is_some()).then(|| Self {
            overlaid,
            is_plain: self.index.is_none()
                && overlaid.is_none()
                && self.watched.0.is_none()
                && !self.counts_calls,
            ..self.clone()
        })
    }

    /// Whether overlays aim here.
    pub(crate) fn are_overlaid(&self) -> bool {
        self.overlaid.is_some()
    }

    /// The guard rails that watch this site, if any do.
    pub(crate) fn watches(&self) -> Option<&Arc<[Arc<Monitor>]>> {
        self.watched.0.as_ref().map(|(watches, _)| watches)
    }

    /// Counts a call for the policy, if that asks for it.
    pub(crate) fn count_call(&self) {
        if self.counts_calls {
            self.hub.bounds.load().spending.count_call();
        }
    }

    /// When the last of them expires; at the end of time if one never does.
    pub(crate) fn last_deadline(&self) -> Duration {
        self.last_deadline
    }

    /// Whether the rules are asked one by one.
    #[inline(always)]
    pub(crate) fn are_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether none of them can act any more, nor any of an overlay.
    pub(crate) fn are_over(&self) -> bool {
        let watched = self.watched.0.as_ref().map(|(_, until)| *until);
        let others = [self.overlaid, watched].into_iter().flatten();
        let last = others.fold(self.last_deadline, Duration::max);
        // Where one never ends, there is no need for a clock.
        last < Duration::MAX && self.hub.clock.now() >= last
    }

    pub(crate) fn are_the_same(&self, other: &Self) -> bool {
        self.overlaid == other.overlaid
            && self.counts_calls == other.counts_calls
            && self.watched.are_the_same(&other.watched)
            && self.rules.len() == other.rules.len()
            && (self.rules.iter().zip(&*other.rules)).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Asks those rules that may match a call, in order, from the place `from` on, until one has enough.
    #[inline]
    pub(crate) fn each<B>(
        &self,
        call: &Call<'_>,
        from: usize,
        mut ask: impl FnMut(usize, &Arc<Armed>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match &self.index {
            None => {
                for at in from..self.rules.len() {
                    ask(at, &self.rules[at])?;
                }
                ControlFlow::Continue(())
            }
            Some(index) => index.candidates(call, from, |at| ask(at, &self.rules[at])),
        }
    }

    /// Fires those that hit, in order, from the place `from` on; the one there has been asked already if
    /// there is a `hit`. Breaks off where one of them ends the call.
    pub(crate) fn fire(
        &self,
        case: &mut Evaluation<'_>,
        from: usize,
        mut hit: Option<Box<Hit>>,
    ) -> ControlFlow<()> {
        let call = case.call;
        self.each(call, from, |_, rule| {
            let asked = hit.take().map(Verdict::Hit);
            let verdict = asked.unwrap_or_else(|| rule.consult(call, &self.hub));
            // Of an exempt call, every rule has been asked all the same: it has its number.
            let (Verdict::Hit(hit), false) = (verdict, case.is_exempt) else {
                return ControlFlow::Continue(());
            };
            let Some(firing) = Firing::of(rule, *hit, call, case.here, &self.hub) else {
                return ControlFlow::Continue(());
            };
            let is_last = firing.ends_call() || rule.rule.is_final;
            // Thousands of calls may be held at once, mostly by one rule each.
            case.fired.reserve_exact(1);
            case.fired.push(firing);
            if is_last {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }
}

/// Of none of them, it was at the beginning of time.
fn last_deadline(rules: &[Arc<Armed>]) -> Duration {
    let on = rules.iter().filter(|rule| rule.rule.enabled);
    let deadlines = on.map(|rule| rule.arming.deadline().unwrap_or(Duration::MAX));
    deadlines.max().unwrap_or_default()
}
