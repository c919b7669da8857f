//! The parts of a run, one after another.

use std::time::Duration;

use chaos_core::wire;
use chaos_gameday::{EstimateOutcome, Phase, PhaseRule, Stage};
use serde_json::Value;

use crate::{
    client::answer::text,
    commands::{
        run::{Run, cut::Cut, hits::Hits, record::now, stage::Part},
        signals::Signals,
    },
    failure::Failure,
};

/// How long a rule outlives its part at most, if nobody ends it.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How a run has ended.
pub(super) struct Ended {
    /// What has ended it before its time.
    pub(super) cut: Option<Cut>,
    /// Why rules may still inject, by port.
    pub(super) not_reverted: Vec<(String, Failure)>,
    /// What the rules have found in shadow mode.
    pub(super) estimate: Option<EstimateOutcome>,
}

/// What was armed so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
pub(super) enum Armed {
    Nothing,
    /// The rules of the estimate.
    Shadows,
    /// The rules of a phase.
    Rules,
    /// The rules of a phase, which are gone by now.
    Over,
}

impl Run<'_> {
    /// Goes through all parts.
    pub(super) async fn go(&self, signals: &mut Signals) -> Ended {
        let mut ended = Ended {
            cut: None,
            not_reverted: Vec::new(),
            estimate: None,
        };
        ended.cut = self.inject(signals, &mut ended).await;
        let goes_on = ended.cut.as_ref().is_none_or(Cut::lets_it_be_seen_after);
        if goes_on && ended.not_reverted.is_empty() {
            let after = Part::quiet("after", Stage::After, self.experiment.observe.after.0);
            let cut = self.part(&after, signals).await;
            ended.cut = match cut {
                // Whoever asks for an end gets it, whatever has stopped the run.
                Some(Cut::Signal(code)) => Some(Cut::Signal(code)),
                cut => ended.cut.or(cut),
            };
        }
        ended
    }

    /// Goes through all parts but the last.
    async fn inject(&self, signals: &mut Signals, ended: &mut Ended) -> Option<Cut> {
        let before = Part::quiet("before", Stage::Before, self.experiment.observe.before.0);
        if let Some(cut) = self.part(&before, signals).await {
            return Some(cut);
        }
        if let Some(cut) = self.estimate(signals, ended).await {
            return Some(cut);
        }
        for phase in &self.experiment.phases {
            if let Some(cut) = self.phase(phase, signals, ended).await {
                return Some(cut);
            }
        }
        None
    }

    /// Goes through a part whose rules are there.
    async fn part(&self, part: &Part, signals: &mut Signals) -> Option<Cut> {
        self.counts.borrow_mut().begin_part();
        if !self.sites.is_empty() {
            let observed = tokio::select! {
                biased;
                code = signals.next() => Err(Cut::Signal(code)),
                observed = self.target.observe(&self.sites) => observed,
            };
            if let Err(cut) = observed {
                return Some(cut);
            }
        }
        self.record.begin(part);
        let cut = self.pass(part, signals).await;
        self.record.end(cut.as_ref());
        cut
    }

    /// Counts in shadow mode whom the rules of the first phase would hit.
    async fn estimate(&self, signals: &mut Signals, ended: &mut Ended) -> Option<Cut> {
        let estimate = self.experiment.estimate.as_ref()?;
        let length = estimate.length.0;
        let phases = &self.experiment.phases;
        let first = phases.iter().find(|phase| !phase.rules.is_empty())?;
        let shadows = first.rules.iter();
        let shadows: Vec<_> = shadows
            .map(|rule| self.seeded(rule.shadow_json_for(length + GRACE)))
            .collect();
        let part = Part {
            stage: None,
            name: "estimate".to_owned(),
            length,
            ids: ids(&shadows),
            observed: Vec::new(),
            share: first.share,
        };
        let cut = self.with_rules(&part, &shadows, signals, ended).await;
        if cut.is_some() {
            return cut;
        }
        let counts = self.counts.borrow();
        let sum = |count: fn(&Hits) -> u64| counts.hits.iter().map(count).sum();
        let (matched, hits) = (sum(|it| it.matched), sum(|it| it.shadowed));
        ended.estimate = Some(EstimateOutcome { matched, hits });
        let least = estimate.hits.at_least;
        (hits < least).then(|| {
            Cut::TooFew(format!(
                "in {}, the rules would have hit {hits} calls, fewer than {least}",
                estimate.length
            ))
        })
    }

    async fn phase(&self, phase: &Phase, signals: &mut Signals, ended: &mut Ended) -> Option<Cut> {
        let rules = phase.rules.iter();
        let rules: Vec<_> = rules
            .map(|rule: &PhaseRule| self.seeded(rule.json_for(phase.length + GRACE)))
            .collect();
        let observed = match self.sites.is_empty() {
            true => Vec::new(),
            false => ids(&rules),
        };
        let part = Part {
            stage: Some(Stage::During),
            name: phase.name.clone(),
            length: phase.length,
            ids: ids(&rules),
            observed,
            share: phase.share,
        };
        let ports = self.target.names().len();
        self.counts.borrow_mut().begin_phase(&phase.name, ports);
        self.with_rules(&part, &rules, signals, ended).await
    }

    /// Goes through a part with rules: arms them, and ends them whatever happens.
    async fn with_rules(
        &self,
        part: &Part,
        rules: &[Value],
        signals: &mut Signals,
        ended: &mut Ended,
    ) -> Option<Cut> {
        self.missing.take();
        let sites = (!part.observed.is_empty()).then_some(&self.sites[..]);
        let began = now();
        let armed = self.target.arm(part, rules, sites, signals).await;
        self.record.armed(part, rules, armed.as_ref().err(), began);
        let cut = match armed {
            Err(cut) => Some(cut),
            Ok(()) => {
                // A pause arms nothing.
                if !rules.is_empty() {
                    self.armed.set(match part.stage {
                        None => Armed::Shadows,
                        Some(_) => Armed::Rules,
                    });
                }
                self.part(part, signals).await
            }
        };
        let began = now();
        let last = self.target.end(part, rules, &self.counted(part)).await;
        let cut = cut.or_else(|| self.late_ending(&last));
        let mut counts = self.counts.borrow_mut();
        counts.take_in(&last);
        counts.end_part(&part.name);
        drop(counts);
        let left = last.into_iter().zip(self.target.names());
        let left = left.filter_map(|(look, name)| Some((name, look.err()?)));
        let left: Vec<_> = left.collect();
        self.record.ended(part, &left, began);
        if cut.is_none() && left.is_empty() {
            self.armed.set(match self.armed.get() {
                Armed::Nothing | Armed::Shadows => Armed::Nothing,
                Armed::Rules | Armed::Over => Armed::Over,
            });
        }
        // Where faults may go on, no further ones are injected.
        let lost = left.first().cloned();
        ended.not_reverted.extend(left);
        cut.or_else(|| lost.map(|(name, failure)| Cut::Lost(name, failure)))
    }

    /// Returns a rule with the seed of the run, if it takes one and has none.
    fn seeded(&self, rule: Value) -> Value {
        if !rule["seed"].is_null() {
            return rule;
        }
        let mut seeded = rule.clone();
        seeded["seed"] = self.seed.into();
        match wire::rule_from_value(seeded.clone(), None) {
            Ok(_) => seeded,
            Err(_) => rule,
        }
    }
}

fn ids(rules: &[Value]) -> Vec<String> {
    rules
        .iter()
        .map(|rule| text(rule, "id").to_owned())
        .collect()
}
