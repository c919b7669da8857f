//! A stage of a run: its probes are asked and its ports looked at until its time is over.

use std::time::Duration;

use chaos_core::Clock;
use chaos_gameday::{Probe, ProbeOutcome, Question, Stage};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::commands::{
    run::{Run, ask::ProbeAnswer, cut::Cut, record::now},
    signals::Signals,
};

/// How long an answer is waited for when the time of a part is over: less than its rules have until they end by themselves.
const LAST_ANSWERS: Duration = Duration::from_secs(4);

/// A part of a run.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// When its probes are asked; `None` if none is.
    pub(super) stage: Option<Stage>,
    pub(super) name: String,
    pub(super) length: Duration,
    /// The rules that are there meanwhile.
    pub(super) ids: Vec<String>,
    /// Those of them whose outcomes are counted.
    pub(super) observed: Vec<String>,
    /// The part of a fleet that gets them, in place of the target's own.
    #[cfg_attr(
        not(feature = "fleet"),
        expect(dead_code, reason = "only a fleet has shares")
    )]
    pub(super) share: Option<f64>,
}

impl Part {
    /// Returns a part without rules.
    pub(super) fn quiet(name: &str, stage: Stage, length: Duration) -> Self {
        Self {
            stage: Some(stage),
            name: name.to_owned(),
            length,
            ids: Vec::new(),
            observed: Vec::new(),
            share: None,
        }
    }
}

impl Run<'_> {
    /// Goes through a part until its time is over and each of its probes has been asked. Returns what has ended it before.
    pub(super) async fn pass(&self, part: &Part, signals: &mut Signals) -> Option<Cut> {
        let probes = self.experiment.hypothesis.probes.iter().enumerate();
        let due: Vec<_> = probes
            .filter(|(_, probe)| part.stage.is_some_and(|stage| probe.ask.contains(&stage)))
            .filter(|(_, probe)| has_its_rule(part, probe))
            .collect();
        let end = End::of(part);
        let mut asked: FuturesUnordered<_> = due
            .iter()
            .filter(|(_, probe)| self.is_asked_meanwhile(part, probe))
            .map(|(nth, probe)| self.repeat(part, (*nth, probe), &end))
            .collect();
        let asked = async {
            while let Some(cut) = asked.next().await {
                if cut.is_some() {
                    return cut;
                }
            }
            end.wait().await;
            None
        };
        let cut = tokio::select! {
            biased;
            code = signals.next() => return Some(Cut::Signal(code)),
            cut = self.target.over() => return Some(cut),
            cut = self.follow(part) => return Some(cut),
            cut = asked => cut,
        };
        if cut.is_some() {
            return cut;
        }
        tokio::select! {
            biased;
            code = signals.next() => Some(Cut::Signal(code)),
            cut = self.target.over() => Some(cut),
            cut = self.judge_counts(part, &due) => cut,
        }
    }

    /// Returns whether a probe is asked again and again in a part. One that counts is judged at the end, over all calls of the
    /// part; before that it is asked only if it may stop the run.
    fn is_asked_meanwhile(&self, part: &Part, probe: &Probe) -> bool {
        let may_stop = self.experiment.stop.probes_failing.is_some();
        !probe.question.is_of_counts() || part.stage == Some(Stage::During) && may_stop
    }

    /// Asks a probe again and again until the end of the part, and at least once. An answer that is waited for then counts, if
    /// it comes before the rules end by themselves. Returns what ends the part earlier.
    async fn repeat(&self, part: &Part, (nth, probe): (usize, &Probe), end: &End) -> Option<Cut> {
        let mut pace = interval(probe.every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once.
        pace.tick().await;
        let mut judged = None;
        loop {
            let counted = self.counts.borrow().looks;
            let is_new = judged.replace(counted) != Some(counted);
            // The same counts are judged once, however often they are asked for.
            if is_new || !probe.question.is_of_counts() {
                let answer = self.ask(part, probe, end.rest() + LAST_ANSWERS).await;
                if let Some(cut) = self.judge(part, (nth, probe), &answer) {
                    return Some(cut);
                }
            }
            // A timer may not be over at once, however short it is.
            if end.rest().is_zero() {
                return None;
            }
            tokio::select! {
                biased;
                () = end.wait() => return None,
                _ = pace.tick() => {}
            }
        }
    }

    /// Asks a probe, and notes the answer; that of one that counts is noted at the end of the part alone.
    async fn ask(&self, part: &Part, probe: &Probe, patience: Duration) -> ProbeAnswer {
        let start = now();
        let outcomes = self.counts.borrow().outcomes.clone();
        let asked = timeout(patience, self.asker.ask(probe, &outcomes)).await;
        let answer = asked.unwrap_or_else(|_| ProbeAnswer::unanswered("no answer by the end"));
        if !probe.question.is_of_counts() {
            self.record.probe(part, probe, &answer, start);
        }
        answer
    }

    /// Judges the probes that count, over all calls of the part. One that is still open now is not decided.
    async fn judge_counts(&self, part: &Part, due: &[(usize, &Probe)]) -> Option<Cut> {
        let due = due
            .iter()
            .filter(|(_, probe)| probe.question.is_of_counts());
        let due: Vec<_> = due.collect();
        if due.is_empty() {
            return None;
        }
        self.look_and_count(part).await;
        let mut first = None;
        for (nth, probe) in due {
            let mut answer = self.ask(part, probe, LAST_ANSWERS).await;
            // Before, a service without calls is not decided, and injected into nevertheless.
            if let (Some(Stage::Before), ProbeOutcome::Unanswered(why)) =
                (part.stage, &answer.outcome)
            {
                answer.outcome = ProbeOutcome::Undecided(why.clone());
            }
            self.record.probe(part, probe, &answer, now());
            let cut = self.judge(part, (*nth, probe), &answer);
            first = first.or(cut);
        }
        first
    }

    /// Returns what an answer ends, if it ends something.
    fn judge(
        &self,
        part: &Part,
        (nth, probe): (usize, &Probe),
        answer: &ProbeAnswer,
    ) -> Option<Cut> {
        if is_open(probe, answer) {
            return None;
        }
        let why = answer.problem();
        if part.stage == Some(Stage::During) {
            let times = self.failing.borrow_mut().note(nth, why.is_some());
            let most = self.experiment.stop.probes_failing?;
            let stopped = |why| format!("{} has not held {most} times: {why}", probe.name);
            return why.filter(|_| times >= most).map(stopped).map(Cut::Stopped);
        }
        let why = why.filter(|_| part.stage == Some(Stage::Before))?;
        Some(Cut::NotSteady(format!("{}: {why}", probe.name)))
    }
}

/// When the time of a part is over.
struct End {
    clock: Clock,
    length: Duration,
}

impl End {
    /// Returns the end of a part that begins now.
    fn of(part: &Part) -> Self {
        Self {
            clock: Clock::monotonic(),
            length: part.length,
        }
    }

    fn rest(&self) -> Duration {
        self.length.saturating_sub(self.clock.now())
    }

    async fn wait(&self) {
        sleep(self.rest()).await;
    }
}

/// Returns whether a part has what a probe compares.
fn has_its_rule(part: &Part, probe: &Probe) -> bool {
    match &probe.question {
        Question::Compare { compare, .. } => part.ids.contains(&compare.rule),
        _ => true,
    }
}

/// Returns whether further calls may tell what these have not.
fn is_open(probe: &Probe, answer: &ProbeAnswer) -> bool {
    use ProbeOutcome::{Unanswered, Undecided};
    probe.question.is_of_counts() && matches!(answer.outcome, Unanswered(_) | Undecided(_))
}
