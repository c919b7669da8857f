//! Looking at the ports each second, for what they count and for what ends an experiment.

use std::time::Duration;

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
const PATIENCE: u32 = 3;

impl Run<'_> {
    /// Looks at the ports until something ends the part.
    pub(super) async fn follow(&self, part: &Part) -> Cut {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let looks = self.look(part).await;
            {
                let counts = self.counts.borrow();
                self.record
                    .second(part, &counts.outcomes, counts.all_hits());
            }
            if let Some(cut) = self.ending(part, &looks).or_else(|| self.is_worse(part)) {
                return cut;
            }
        }
    }

    /// Looks at the ports, and takes in what they count.
    pub(super) async fn look(&self, part: &Part) -> Looks {
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
        let mut silent = self.silent.borrow_mut();
        silent.resize(looks.len(), 0);
        for ((look, name), silent) in looks.iter().zip(&names).zip(silent.iter_mut()) {
            match look {
                Ok(_) => *silent = 0,
                Err(failure) => {
                    *silent += 1;
                    if *silent >= PATIENCE {
                        return Some(Cut::Lost(name.clone(), failure.clone()));
                    }
                }
            }
        }
        if let Some(cut) = self.restarted(looks) {
            return Some(cut);
        }
        // Once the rules are gone, there is nothing to stop.
        if part.stage == Some(Stage::After) {
            return None;
        }
        let known = looks.iter().zip(&names).enumerate();
        let known = known.filter_map(|(nth, (look, name))| Some((nth, name, look.as_ref().ok()?)));
        let known: Vec<_> = known.collect();
        let mut broken = Vec::new();
        let mut ended_by_others = None;
        for (nth, name, look) in &known {
            let breaches: Vec<_> = self.start.new_breaches(*nth, look).collect();
            let texts = breaches.iter().map(|breach| text(breach, "text"));
            broken.extend(texts.map(|text| format!("{name}: a guard rail has broken: {text}")));
            let why = self.ended_by_others(part, look, &breaches);
            ended_by_others =
                ended_by_others.or(why.map(|why| Cut::Stopped(format!("{name}: {why}"))));
        }
        let most = self.experiment.stop.breaches.unwrap_or(1) as usize;
        // Guard rails that may break end the part where they have left nothing to inject.
        let is_over = || {
            !self.target.tells_ends() && looks.iter().all(|look| look.as_ref().is_ok_and(is_off))
        };
        if broken.len() >= most || !broken.is_empty() && !part.ids.is_empty() && is_over() {
            return Some(Cut::Stopped(broken.join("; ")));
        }
        ended_by_others
    }

    /// Returns the cut for a port at which another process answers than at the beginning, or which has lost its counts.
    pub(super) fn restarted(&self, looks: &Looks) -> Option<Cut> {
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

    /// Returns why a part cannot go on at a port, unless guard rails are why.
    fn ended_by_others(&self, part: &Part, look: &PortLook, breaches: &[&Value]) -> Option<String> {
        if look.status["state"] == "halted" {
            let halted = &look.status["halted"];
            let holders = halted["holders"].as_array().map_or(&[][..], Vec::as_slice);
            let is_rail = |holder: &Value| holder["kind"] == "guard_rail";
            if !holders.is_empty() && holders.iter().all(is_rail) {
                return None;
            }
            let (by, reason) = (text(halted, "by"), text(halted, "reason"));
            return Some(format!("halted by {by}: {reason}"));
        }
        if self.target.tells_ends() {
            return None;
        }
        let gone = part.ids.iter().find(|id| !look.rules.contains_key(*id));
        if let Some(id) = gone {
            return Some(format!("somebody else has deleted the rule `{id}`"));
        }
        let has_broken = |id: &str| breaches.iter().any(|breach| breach["rule"] == *id);
        let mut off = look.rules.iter().filter(|(_, rule)| is_disabled(rule));
        let off = off.find(|(id, _)| !has_broken(id));
        off.map(|(id, _)| format!("somebody else has disabled the rule `{id}`"))
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

/// Returns whether a port injects nothing any longer.
fn is_off(look: &PortLook) -> bool {
    look.status["state"] == "halted" || look.rules.values().all(is_disabled)
}

fn is_disabled(rule: &Value) -> bool {
    rule["enabled"] == false
}
