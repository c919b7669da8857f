//! Looking at the ports each second, for what they count and for what ends an experiment.

use std::{collections::BTreeMap, time::Duration};

use chaos_gameday::{EProcess, Stage};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    client::answer::text,
    commands::run::{
        Run,
        counts::Counts,
        cut::Cut,
        stage::Part,
        target::{LOCK, Looks, PortLook},
    },
    failure::{Exit, Failure},
};

/// How often the ports are looked at.
const PACE: Duration = Duration::from_secs(1);

/// How many looks in succession may fail before a port counts as lost.
const SILENT_LOOKS: u32 = 3;

impl Run<'_> {
    /// Looks at the ports until something ends the part.
    pub(super) async fn follow(&self, part: &Part) -> Cut {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut armed = Vec::new();
        loop {
            pace.tick().await;
            let looks = self.look_and_count(part).await;
            {
                let counts = self.counts.borrow();
                self.record
                    .second(part, &counts.outcomes, counts.all_hits());
            }
            let cut = self.ending(part, &looks);
            let cut = cut.or_else(|| self.changed(&looks, &mut armed));
            if let Some(cut) = cut.or_else(|| self.is_worse(part)) {
                return cut;
            }
        }
    }

    /// Looks at the ports, and takes in what they count.
    pub(super) async fn look_and_count(&self, part: &Part) -> Looks {
        let looks = self.target.look(&part.ids, &self.counted(part)).await;
        self.counts.borrow_mut().take_in(&looks);
        looks
    }

    /// Returns the rules whose outcomes are counted: those of the part, and the lock, which hits no call.
    pub(super) fn counted(&self, part: &Part) -> Vec<String> {
        let lock = (!self.sites.is_empty()).then(|| LOCK.to_owned());
        part.observed.iter().cloned().chain(lock).collect()
    }

    /// Returns the cut that the answers of the ports call for, if any.
    fn ending(&self, part: &Part, looks: &Looks) -> Option<Cut> {
        let names = self.target.names();
        for (nth, (look, name)) in looks.iter().zip(&names).enumerate() {
            let times = self.silent.borrow_mut().note(nth, look.is_err());
            if let Err(failure) = look
                && times >= SILENT_LOOKS
            {
                return Some(Cut::Lost(name.clone(), failure.clone()));
            }
        }
        if let Some(cut) = self.restarted(looks) {
            return Some(cut);
        }
        // Once the rules are gone, there is nothing to stop.
        if part.stage == Some(Stage::After) {
            return None;
        }
        // Guard rails that may break end the part where they have left nothing to inject.
        let is_over = !part.ids.is_empty() && !self.target.tells_ends() && all_are(looks, is_off);
        self.broken(looks, is_over)
            .or_else(|| self.first(looks, |_, look| halted_by_others(look)))
            .or_else(|| self.first(looks, |nth, look| self.taken_by_others(part, nth, look)))
    }

    /// Returns the cut that the last look at a part calls for, if any: its rules are disabled by then, but what came after the
    /// look before it counts.
    pub(super) fn late_ending(&self, looks: &Looks) -> Option<Cut> {
        self.restarted(looks)
            .or_else(|| self.broken(looks, all_are(looks, is_halted)))
            .or_else(|| self.first(looks, |_, look| halted_by_others(look)))
    }

    /// Returns the cut for a port at which another process answers than at the beginning, or which has lost its counts.
    fn restarted(&self, looks: &Looks) -> Option<Cut> {
        let mut looks = looks.iter().zip(self.target.names()).enumerate();
        looks.find_map(|(nth, (look, name))| {
            let look = look.as_ref().ok()?;
            let failure = match self.start.is_another_process(nth, look) {
                true => Failure::new(Exit::NoAnswer, "it has been started again"),
                false => look.lost_counts()?,
            };
            Some(Cut::Lost(name, failure))
        })
    }

    /// Returns the cut for guard rails that have broken, if there are too many of them, or the part is over with any.
    fn broken(&self, looks: &Looks, is_over: bool) -> Option<Cut> {
        let looks = looks.iter().zip(self.target.names()).enumerate();
        let broken = looks.flat_map(|(nth, (look, name))| {
            let look = look.as_ref().ok().into_iter();
            let breaches = look.flat_map(move |look| self.start.new_breaches(nth, look));
            breaches.map(move |breach| {
                format!("{name}: a guard rail has broken: {}", text(breach, "text"))
            })
        });
        let broken: Vec<_> = broken.collect();
        let most = self.experiment.stop.breaches.unwrap_or(1) as usize;
        let is_enough = broken.len() >= most || is_over && !broken.is_empty();
        is_enough.then(|| Cut::Stopped(broken.join("; ")))
    }

    /// Returns the cut for the first port that something is found at.
    fn first(
        &self,
        looks: &Looks,
        find: impl Fn(usize, &PortLook) -> Option<String>,
    ) -> Option<Cut> {
        let mut looks = looks.iter().zip(self.target.names()).enumerate();
        looks.find_map(|(nth, (look, name))| {
            let why = find(nth, look.as_ref().ok()?)?;
            Some(Cut::Stopped(format!("{name}: {why}")))
        })
    }

    /// Notes whether the rules of a part are in force at a port, and returns why not, unless guard rails are why. At a fleet,
    /// two looks have to miss a rule: if the fleet has ended it everywhere, it says so before the second one.
    fn taken_by_others(&self, part: &Part, nth: usize, look: &PortLook) -> Option<String> {
        let why = self.not_in_force(part, nth, look);
        let times = self.missing.borrow_mut().note(nth, why.is_some());
        why.filter(|_| times >= 2 || !self.target.tells_ends())
    }

    fn not_in_force(&self, part: &Part, nth: usize, look: &PortLook) -> Option<String> {
        // A replica that is not asked says nothing.
        if is_halted(look) || look.status.is_null() {
            return None;
        }
        let gone = part.ids.iter().find(|id| !look.rules.contains_key(*id));
        if let Some(id) = gone {
            return Some(format!("somebody else has deleted the rule `{id}`"));
        }
        let breaches: Vec<_> = self.start.new_breaches(nth, look).collect();
        let has_broken = |id: &str| breaches.iter().any(|breach| breach["rule"] == *id);
        let mut off = look.rules.iter().filter(|(_, rule)| is_disabled(rule));
        let off = off.find(|(id, _)| !has_broken(id));
        off.map(|(id, _)| format!("somebody else has disabled the rule `{id}`"))
    }

    /// Returns the cut for a rule that is another one than at the first look. `armed` is what it was then, by port and id.
    fn changed(&self, looks: &Looks, armed: &mut Vec<BTreeMap<String, Value>>) -> Option<Cut> {
        armed.resize(looks.len(), BTreeMap::new());
        for ((look, name), armed) in looks.iter().zip(self.target.names()).zip(armed) {
            for (id, rule) in look.iter().flat_map(|look| &look.rules) {
                let rule = what_it_does(rule);
                if *armed.entry(id.clone()).or_insert_with(|| rule.clone()) != rule {
                    let why = format!("{name}: somebody else has changed the rule `{id}`");
                    return Some(Cut::Stopped(why));
                }
            }
        }
        None
    }

    /// Returns whether the calls that a rule hits fare worse than the experiment allows.
    fn is_worse(&self, part: &Part) -> Option<Cut> {
        let bound = self.experiment.stop.worse_than_control.as_ref()?;
        if !part.observed.contains(&bound.rule) {
            return None;
        }
        let mut counts = self.counts.borrow_mut();
        let Counts {
            outcomes, evidence, ..
        } = &mut *counts;
        let outcome = outcomes.of(&bound.rule, &bound.site)?;
        let value = evidence.value(bound.error_ratio, outcome);
        (value >= EProcess::STOPS_AT).then(|| {
            Cut::Stopped(format!(
                "the calls at {} that `{}` hits fail more often than those that it spares, by more than {} of them \
                 (evidence {value:.0}, of which {} is enough)",
                bound.site,
                bound.rule,
                bound.error_ratio,
                EProcess::STOPS_AT,
            ))
        })
    }
}

fn all_are(looks: &Looks, is: fn(&PortLook) -> bool) -> bool {
    looks.iter().all(|look| look.as_ref().is_ok_and(is))
}

/// Returns whether a port injects nothing any longer.
fn is_off(look: &PortLook) -> bool {
    is_halted(look) || look.rules.values().all(is_disabled)
}

fn is_halted(look: &PortLook) -> bool {
    look.status["state"] == "halted"
}

/// Returns who has halted a port, unless guard rails alone have.
fn halted_by_others(look: &PortLook) -> Option<String> {
    let halted = &look.status["halted"];
    let holders = halted["holders"].as_array().map_or(&[][..], Vec::as_slice);
    let is_rail = |holder: &Value| holder["kind"] == "guard_rail";
    if !is_halted(look) || !holders.is_empty() && holders.iter().all(is_rail) {
        return None;
    }
    let (by, reason) = (text(halted, "by"), text(halted, "reason"));
    Some(format!("halted by {by}: {reason}"))
}

/// Returns a rule without what may change while it stays the same.
fn what_it_does(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.retain(|field, _| {
            !["stats", "enabled", "reason", "sites", "warnings"].contains(&&**field)
        });
    }
    rule
}

fn is_disabled(rule: &Value) -> bool {
    rule["enabled"] == false
}
