//! What an experiment has shown: a pure function of what was seen.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::experiment::{Experiment, PhaseRule, Stage};

/// What an experiment has shown.
///
/// This enum is closed: each verdict has an exit code of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Enough calls were hit, and every probe held.
    Held,
    /// A probe did not hold while faults were injected, or afterwards.
    Deviated,
    /// A bound ended the experiment before its time.
    Stopped,
    /// A probe did not hold before anything was injected, so nothing was.
    NotSteady,
    /// Too little was seen to say anything.
    Inconclusive,
    /// A signal ended the experiment before its time.
    Interrupted(Signal),
    /// It is not known that the faults are gone.
    NotReverted,
}

/// A signal that ends an experiment.
///
/// This enum is closed: each signal has an exit code of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGINT, as by Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP, as by a terminal that is closed.
    Hangup,
}

/// What was seen of an experiment. `Default` is one of which nothing was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What came of the probes, at most once for each probe and stage.
    pub probes: Vec<ProbeSeen>,
    /// How many calls the rules would have hit in shadow mode; `None` if that has not been tried to its end.
    pub estimated_hits: Option<u64>,
    /// How many calls each rule has hit, by the name of the phase and the id of the rule. A rule that is not named has hit
    /// none.
    pub hits: BTreeMap<(String, String), u64>,
    /// The endpoints or replicas that did not apply a rule, each with the reason.
    pub not_applied: Vec<String>,
    /// Which bound ended the experiment before its time, in words.
    pub stopped: Option<String>,
    /// Which signal ended the experiment before its time.
    pub interrupted: Option<Signal>,
    /// The endpoints or replicas of which it is not known that the faults are gone, each with the reason.
    pub not_reverted: Vec<String>,
}

impl Seen {
    /// Returns how many calls were hit.
    #[must_use]
    pub fn all_hits(&self) -> u64 {
        self.hits.values().sum()
    }
}

/// What came of a probe in one stage.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeSeen {
    /// The name of the probe.
    pub name: String,
    /// When it was asked.
    pub stage: Stage,
    /// How often it held.
    pub held: u64,
    /// How often it did not hold.
    pub not_held: u64,
    /// How often it could not be asked.
    pub unanswered: u64,
    /// How often what was seen was too little to decide.
    pub undecided: u64,
    /// What was wrong the first time, for each kind of outcome that is not good.
    problems: [Option<String>; 3],
}

/// What came of a probe once.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "problem")]
pub enum ProbeOutcome {
    /// It holds.
    Held,
    /// It does not hold, for this reason.
    NotHeld(String),
    /// It could not be asked, for this reason.
    Unanswered(String),
    /// What was seen is too little to decide, for this reason.
    Undecided(String),
}

impl Verdict {
    /// Returns the exit code of a program that has run the experiment.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Deviated => 11,
            Self::NotSteady => 12,
            Self::Stopped => 13,
            Self::Inconclusive => 14,
            Self::NotReverted => 15,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
            Self::Interrupted(Signal::Hangup) => 129,
        }
    }
}

/// Writes the verdict in words, such as `not steady`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Deviated => "deviated",
            Self::Stopped => "stopped",
            Self::NotSteady => "not steady",
            Self::Inconclusive => "inconclusive",
            Self::Interrupted(_) => "interrupted",
            Self::NotReverted => "not reverted",
        })
    }
}

impl ProbeSeen {
    /// Creates the record of a probe that has not been asked in this stage yet.
    #[must_use]
    pub fn new(name: impl Into<String>, stage: Stage) -> Self {
        Self {
            name: name.into(),
            stage,
            held: 0,
            not_held: 0,
            unanswered: 0,
            undecided: 0,
            problems: [None, None, None],
        }
    }

    /// Adds what came of the probe once.
    pub fn add(&mut self, outcome: ProbeOutcome) {
        let (count, at, problem) = match outcome {
            ProbeOutcome::Held => {
                self.held += 1;
                return;
            }
            ProbeOutcome::NotHeld(problem) => (&mut self.not_held, 0, problem),
            ProbeOutcome::Unanswered(problem) => (&mut self.unanswered, 1, problem),
            ProbeOutcome::Undecided(problem) => (&mut self.undecided, 2, problem),
        };
        *count += 1;
        self.problems[at].get_or_insert(problem);
    }

    fn asked(&self) -> u64 {
        self.held + self.not_held + self.unanswered + self.undecided
    }

    /// Says how often something happened, and what it was the first time.
    fn reason(&self, times: u64, what: &str, at: usize) -> String {
        let (name, asked, stage) = (&self.name, self.asked(), stage_word(self.stage));
        let problem = self.problems[at].as_deref().unwrap_or_default();
        format!("the probe {name:?} {what} {stage}, {times} of {asked} times: {problem}")
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Before => "before anything was injected",
        Stage::During => "while faults were injected",
        Stage::After => "after the faults",
    }
}

/// Returns the verdict, and the reasons for it in words, of which there is at least one.
///
/// The first of these that applies is the verdict: it is not known that the faults are gone; a signal ended it; a probe did
/// not hold before, or could not be asked then; a bound stopped it; a probe did not hold; too little was seen. Only if none
/// does, the hypothesis has held. Too little is seen if the estimate found fewer calls than it should, if fewer calls were
/// hit than `conclusive` says, if a target did not apply a rule, or if a probe was not asked, could not be asked, or could
/// not be decided.
#[must_use]
pub fn verdict(experiment: &Experiment, seen: &Seen) -> (Verdict, Vec<String>) {
    let probes = |stage: fn(Stage) -> bool| seen.probes.iter().filter(move |it| stage(it.stage));
    let not_held =
        |it: &ProbeSeen| (it.not_held > 0).then(|| it.reason(it.not_held, "did not hold", 0));
    let unanswered = |it: &ProbeSeen| {
        (it.unanswered > 0).then(|| it.reason(it.unanswered, "could not be asked", 1))
    };
    if !seen.not_reverted.is_empty() {
        let reason = |why: &String| format!("it is not known that the faults are gone: {why}");
        let reasons = seen.not_reverted.iter().map(reason).collect();
        return (Verdict::NotReverted, reasons);
    }
    if let Some(signal) = seen.interrupted {
        let name = match signal {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::Hangup => "SIGHUP",
        };
        let reason = format!("{name} ended the experiment before its time");
        return (Verdict::Interrupted(signal), vec![reason]);
    }
    let before = probes(|stage| stage == Stage::Before);
    let unsteady = before
        .flat_map(|it| [not_held(it), unanswered(it)])
        .flatten();
    let unsteady: Vec<_> = unsteady.collect();
    if !unsteady.is_empty() {
        return (Verdict::NotSteady, unsteady);
    }
    if let Some(stopped) = &seen.stopped {
        return (Verdict::Stopped, vec![stopped.clone()]);
    }
    let deviated = probes(|stage| stage != Stage::Before).filter_map(not_held);
    let mut deviated: Vec<_> = deviated.collect();
    let too_little = too_little(experiment, seen);
    if !deviated.is_empty() {
        deviated.extend(too_little);
        return (Verdict::Deviated, deviated);
    }
    if !too_little.is_empty() {
        return (Verdict::Inconclusive, too_little);
    }
    let reason = format!("{} calls were hit, and every probe held", seen.all_hits());
    (Verdict::Held, vec![reason])
}

/// Returns why what was seen is too little to say that the hypothesis has held.
fn too_little(experiment: &Experiment, seen: &Seen) -> Vec<String> {
    if let Some(estimate) = &experiment.estimate {
        let least = estimate.hits.at_least;
        match seen.estimated_hits {
            Some(hits) if hits >= least => {}
            Some(hits) => {
                return vec![format!(
                    "the rules would have hit {hits} calls by the estimate, fewer than {least}"
                )];
            }
            None => return vec!["the estimate was not made".into()],
        }
    }
    let mut reasons = Vec::new();
    let least = experiment.conclusive.hits.at_least;
    let hits = seen.all_hits();
    if hits < least {
        reasons.push(format!("{hits} calls were hit, fewer than {least}"));
    }
    let rules = experiment.phases.iter().flat_map(|phase| {
        let ids = phase.rules.iter().map(PhaseRule::id);
        ids.map(|id| (phase.name.clone(), id.to_owned()))
    });
    let has_hit = |rule: &(String, String)| seen.hits.get(rule).is_some_and(|hits| *hits > 0);
    let idle = rules.filter(|rule| hits > 0 && !has_hit(rule));
    reasons.extend(
        idle.map(|(phase, id)| format!("the rule `{id}` has hit no call in the phase {phase:?}")),
    );
    let applied = seen.not_applied.iter();
    reasons.extend(applied.map(|why| format!("a target did not apply the rules: {why}")));
    for probe in &experiment.hypothesis.probes {
        for &stage in &probe.ask {
            let mut found = seen.probes.iter();
            let found = found.find(|it| it.name == probe.name && it.stage == stage);
            let Some(found) = found.filter(|it| it.asked() > 0) else {
                let (name, stage) = (&probe.name, stage_word(stage));
                reasons.push(format!("the probe {name:?} was not asked {stage}"));
                continue;
            };
            if found.unanswered > 0 {
                reasons.push(found.reason(found.unanswered, "could not be asked", 1));
            }
            if found.undecided > 0 {
                reasons.push(found.reason(found.undecided, "could not be decided", 2));
            }
        }
    }
    reasons
}
