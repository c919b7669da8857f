//! The rules that aim at one site, in order, and how they are asked about a call.

mod fire;

pub(crate) use self::fire::Evaluation;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use crate::{
    armed::{Armed, plain::PlainRule},
    call::{Call, site_kind::SiteKind},
    decision::{
        firing::held_rule::{HeldRule, StripedRules},
        site_meter::SiteMeter,
        watchers::{SiteMonitors, StripedWatchers},
    },
    fault::Fault,
    hub::Hub,
    matcher::{
        compiled::Known,
        index::{Found, Index},
    },
    rule::parted_list::PartedList,
};

/// The name and kind of the site that a call passes.
pub(crate) type Here = (&'static str, SiteKind);

/// Up to this many rules are asked one by one; more are looked up in an index.
const FEW: usize = 8;

/// What the rules of a site read of calls to leave them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    /// The method or the path, and maybe other facts.
    MethodOrPath,
    /// Other facts than the method and the path.
    Others,
}

/// The rules that aim at one site, in order.
#[derive(Clone, Debug)]
pub(crate) struct SiteRules {
    /// The state of the site while it has these rules; 0 before they are installed.
    pub(crate) number: usize,
    pub(crate) hub: Arc<Hub>,
    pub(crate) rules: PartedList<Arc<Armed>>,
    /// The rules, as calls hold them that are hit.
    held: StripedRules,
    /// Present where there are many rules. It knows them by position, so disabled rules keep theirs.
    index: Option<Arc<Index>>,
    /// How many of the rules are enabled.
    on: usize,
    /// Until when overlays aim here too, if any does. Their rules are asked first.
    overlaid: Option<Duration>,
    /// Whether calls must be counted, because the policy bounds the share that is hit.
    counts_calls: bool,
    /// Whether a rule is observed, so that it has to be known which calls are spared.
    pub(crate) is_observed: bool,
    /// Whether each call is counted: for the policy, by the meter of a site in code, or because a rule is observed.
    pub(crate) is_counted: bool,
    monitors: SiteMonitors,
    /// What of `monitors` measures calls to their end, as calls hold it.
    watchers: Option<Arc<StripedWatchers>>,
    /// Whether a rule acts on responses, and so is asked about a call that another rule ends.
    acts_on_responses: bool,
    /// Whether there is nothing but rules. A call checks this flag alone.
    is_plain: bool,
    /// When the last of the rules expires.
    last_deadline: Duration,
    /// The number of the gate of the rule that was put in force last.
    newest: u64,
}

/// Returns whether any of the rules is observed.
fn is_observed<'r>(hub: &Hub, rules: impl IntoIterator<Item = &'r Arc<Armed>>) -> bool {
    let is_observed = |rule: &Arc<Armed>| {
        !rule.is_of_overlay() && hub.observations.of(rule.rule.id.as_str()).is_some()
    };
    hub.observations.are_there() && rules.into_iter().any(is_observed)
}

/// Returns whether the policy counts calls: those at sites where a rule may hit them.
fn counts_calls(hub: &Hub, on: usize, overlaid: Option<Duration>) -> bool {
    (on > 0 || overlaid.is_some()) && hub.bounds.load().policy.budget.counts_calls()
}

impl SiteRules {
    /// Makes the rules of a site from those that aim at it. Returns `None` if there is nothing to ask.
    pub(crate) fn of(
        hub: &Arc<Hub>,
        mut rules: Vec<Arc<Armed>>,
        overlaid: Option<Duration>,
        monitors: SiteMonitors,
    ) -> Option<Self> {
        let on = rules.iter().filter(|rule| rule.rule.enabled).count();
        if on == 0 && overlaid.is_none() && monitors.are_none() {
            return None;
        }
        if on <= FEW {
            rules.retain(|rule| rule.rule.enabled);
        }
        let counts_calls = counts_calls(hub, on, overlaid);
        let index = (on > FEW).then(|| {
            let matchers = rules.iter().map(|rule| &*rule.rule.matcher);
            Arc::new(Index::of(matchers))
        });
        let is_observed = is_observed(hub, &rules);
        let is_counted = counts_calls || is_observed || monitors.meter_of_passes().is_some();
        Some(Self {
            number: 0,
            hub: Arc::clone(hub),
            last_deadline: last_deadline(rules.iter()),
            newest: newest(&rules),
            acts_on_responses: act_on_responses(rules.iter()),
            rules: PartedList::of(rules.into_iter()),
            held: StripedRules::default(),
            is_plain: overlaid.is_none() && !is_counted,
            counts_calls,
            is_observed,
            is_counted,
            watchers: monitors.watchers(hub),
            monitors,
            index,
            on,
            overlaid,
        })
    }

    /// Returns these rules with one in the place of another that has the same matcher. Returns `None` if
    /// that takes a new index.
    pub(crate) fn swapped(&self, [before, after]: &[Arc<Armed>; 2]) -> Option<Self> {
        let is_indexed = self.index.is_some() && before.rule.matcher == after.rule.matcher;
        let place = || self.rules.iter().position(|rule| Arc::ptr_eq(rule, before));
        let place = is_indexed.then(place).flatten()?;
        let on = |rule: &Armed| usize::from(rule.rule.enabled);
        let on = self.on + on(after) - on(before);
        let rules = self.rules.with(place, Arc::clone(after));
        // The other rules are looked at only until one of them is as the rule that has gone.
        let last = self.last_deadline;
        let is_last = |rule: &Arc<Armed>| deadline(rule) == last;
        let last_deadline = match deadline(after) {
            later if later >= last => later,
            _ if deadline(before) < last || rules.iter().any(is_last) => last,
            _ => last_deadline(rules.iter()),
        };
        (on > FEW).then(|| Self {
            last_deadline,
            newest: self.newest.max(after.gate.number),
            acts_on_responses: match self.acts_on_responses {
                true => act_on_responses(rules.iter()),
                false => after.rule.enabled && acts_on_response(after),
            },
            rules,
            on,
            ..self.clone()
        })
    }

    /// Returns the number of the gate of the rule that was put in force last; 0 without rules.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns those of the rules that were put in force after the gate of this number was made.
    pub(crate) fn since(&self, number: u64) -> Option<Self> {
        let rules = self.rules.iter().filter(|rule| rule.gate.number > number);
        let rules = rules.cloned().collect();
        Self::of(&self.hub, rules, None, SiteMonitors::default())
    }

    /// Returns these rules with or without overlays; `None` if that leaves nothing to ask.
    pub(crate) fn overlaid(&self, overlaid: Option<Duration>) -> Option<Self> {
        (self.on > 0 || overlaid.is_some() || !self.monitors.are_none()).then(|| {
            let mut rules = self.clone();
            rules.overlaid = overlaid;
            rules.counts_calls = counts_calls(&self.hub, self.on, overlaid);
            rules.is_counted =
                rules.counts_calls || self.is_observed || self.monitors.meter_of_passes().is_some();
            rules.is_plain = overlaid.is_none() && !rules.is_counted;
            rules
        })
    }

    /// Returns whether overlays aim here.
    pub(crate) fn are_overlaid(&self) -> bool {
        self.overlaid.is_some()
    }

    /// Returns the rule at a position, as a call of this thread holds it that is hit.
    #[inline]
    pub(crate) fn held(&self, at: usize) -> &Arc<HeldRule> {
        self.held.here(at, self.rules.len(), || HeldRule {
            rule: Arc::clone(&self.rules[at]),
            hub: Arc::clone(&self.hub),
        })
    }

    /// Returns what is left of these when all rules and guard rails are over: nothing, unless someone watches the site.
    pub(crate) fn when_over(&self) -> Option<Self> {
        let monitors = self.monitors.clone().without_rails();
        Self::of(&self.hub, Vec::new(), None, monitors)
    }

    /// Returns whether someone watches the site, and there is nothing else.
    pub(crate) fn are_watched_alone(&self) -> bool {
        self.on == 0 && self.overlaid.is_none() && self.monitors.are_without_rails()
    }

    /// Returns the meter in which calls are counted when they pass, if there is one.
    pub(crate) fn meter_of_passes(&self) -> Option<&SiteMeter> {
        self.monitors.meter_of_passes()
    }

    /// Returns what measures the calls of this site, if anything does.
    pub(crate) fn watchers(&self) -> Option<&StripedWatchers> {
        self.watchers.as_deref()
    }

    /// Counts a call, if the policy asks for it.
    pub(crate) fn count_call(&self) {
        if self.counts_calls {
            self.hub.bounds.load().spending.count_call();
        }
    }

    /// Returns when the last of the rules expires; `Duration::MAX` if one never does.
    pub(crate) fn last_deadline(&self) -> Duration {
        self.last_deadline
    }

    /// Returns whether there is nothing to be done but to ask the rules.
    #[inline(always)]
    pub(crate) fn are_plain(&self) -> bool {
        self.is_plain
    }

    /// Returns whether glances settle most calls. A thread then keeps what they take.
    pub(crate) fn are_settled_by_glances(&self) -> bool {
        // Without a rule, calls are measured.
        let can_settle = || (self.rules.get(0)).is_none_or(|rule| rule.precheck.can_settle());
        self.is_plain && self.index.is_none() && can_settle()
    }

    /// Returns the first rule if it hits each call, so that glances settle none. Where calls are measured, what a thread
    /// keeps serves to measure them.
    pub(crate) fn that_hits_each_call(&self) -> Option<&Arc<Armed>> {
        let first = (self.rules.get(0)).filter(|_| self.is_plain && self.watchers.is_none());
        first.filter(|rule| rule.precheck.hits_all())
    }

    /// Returns what glances read of calls.
    pub(crate) fn reads(&self) -> Reads {
        let mut prechecks = self.rules.iter().map(|rule| &rule.precheck);
        if prechecks
            .clone()
            .any(|precheck| precheck.reads_method_or_path())
        {
            Reads::MethodOrPath
        } else if prechecks.any(|precheck| precheck.reads_calls()) {
            Reads::Others
        } else {
            Reads::Nothing
        }
    }

    /// Returns whether a rule, or one of an overlay, never ends, as most of those of tests do.
    #[inline]
    pub(crate) fn never_end(&self) -> bool {
        self.last_deadline == Duration::MAX || self.overlaid == Some(Duration::MAX)
    }

    /// Returns whether no rule can act any more, those of overlays included, and no guard rail watches.
    pub(crate) fn are_over(&self) -> bool {
        // No clock is read where a rule never ends.
        let last = self.last_end();
        last < Duration::MAX && self.hub.clock.now() >= last
    }

    /// Returns when the last rule and the last guard rail end, those of overlays included. What watches a site that has
    /// none of these does not end.
    pub(crate) fn last_end(&self) -> Duration {
        if self.are_watched_alone() {
            return Duration::MAX;
        }
        let monitors = self.monitors.rails.as_ref().map(|(_, until)| *until);
        let others = [self.overlaid, monitors].into_iter().flatten();
        others.fold(self.last_deadline, Duration::max)
    }

    /// Returns whether a site would behave alike with the others installed.
    pub(crate) fn are_the_same(&self, other: &Self) -> bool {
        self.overlaid == other.overlaid
            && self.counts_calls == other.counts_calls
            && self.is_observed == other.is_observed
            && self.monitors.are_the_same(&other.monitors)
            && self.rules.len() == other.rules.len()
            && (self.rules.iter().zip(other.rules.iter())).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Returns whether [`of`](Self::of) would make the same rules of these.
    pub(crate) fn are_made_of(
        &self,
        rules: &[Arc<Armed>],
        overlaid: Option<Duration>,
        monitors: &SiteMonitors,
    ) -> bool {
        let on = rules.iter().filter(|rule| rule.rule.enabled).count();
        let mut kept = rules.iter().filter(|rule| on > FEW || rule.rule.enabled);
        let is_observed = is_observed(&self.hub, kept.clone());
        self.overlaid == overlaid
            && self.on == on
            && self.is_observed == is_observed
            && self.monitors.are_the_same(monitors)
            && self.counts_calls == counts_calls(&self.hub, on, overlaid)
            && (self.rules.iter()).all(|rule| kept.next().is_some_and(|it| Arc::ptr_eq(rule, it)))
            && kept.next().is_none()
    }

    /// Asks the rules that may match a call, in order and starting at position `from`, until `ask` breaks. With
    /// each rule it passes what is known to hold of its matcher.
    #[inline(always)]
    pub(crate) fn each<B>(
        &self,
        call: &Call<'_>,
        from: usize,
        mut ask: impl FnMut(usize, &Arc<Armed>, Known) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if from >= self.rules.len() {
            return ControlFlow::Continue(());
        }
        let mut found = Found::new();
        let mut known: &[Known] = &[];
        match &self.index {
            None => found.set_all(self.rules.len()),
            Some(index) => known = index.find(call, &mut found),
        }
        if from > 0 {
            found.skip_to(from);
        }
        while let Some(at) = found.next() {
            let at = at as usize;
            let known = known.get(at).copied().unwrap_or(Known::NOTHING);
            ask(at, &self.rules[at], known)?;
        }
        ControlFlow::Continue(())
    }

    /// Returns whether no other rule is asked after the one at a position, which is plain.
    #[inline]
    pub(crate) fn are_over_after(&self, at: usize, plain: &PlainRule) -> bool {
        let ends = || plain.ends_call && !self.acts_on_responses || self.rules[at].rule.is_final;
        at + 1 == self.rules.len() || plain.always_fires && ends()
    }
}

/// Returns whether a fault of the rule acts on responses.
fn acts_on_response(rule: &Armed) -> bool {
    rule.rule.faults.iter().any(Fault::acts_on_response)
}

fn act_on_responses<'r>(rules: impl Iterator<Item = &'r Arc<Armed>>) -> bool {
    let mut on = rules.filter(|rule| rule.rule.enabled);
    on.any(|rule| acts_on_response(rule))
}

fn newest(rules: &[Arc<Armed>]) -> u64 {
    let numbers = rules.iter().map(|rule| rule.gate.number);
    numbers.max().unwrap_or_default()
}

/// Returns when the last of the enabled rules expires; zero if there are none.
fn last_deadline<'r>(rules: impl Iterator<Item = &'r Arc<Armed>>) -> Duration {
    rules.map(|rule| deadline(rule)).max().unwrap_or_default()
}

/// Returns when a rule expires, if it is enabled; zero if not.
fn deadline(rule: &Armed) -> Duration {
    match rule.rule.enabled {
        true => rule.arming.deadline().unwrap_or(Duration::MAX),
        false => Duration::ZERO,
    }
}
