//! What happened in a run, in the shape of Chaos Toolkit's journals.

mod details;
mod entry;
mod file;
mod moment;
mod series;

use std::{mem, time::SystemTime};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    details::{
        AuditNote, Comparison, Details, EstimateOutcome, PhaseTimes, Status, TargetFate,
        TargetOutcome,
    },
    entry::{Activity, ActivityKind, ActivityStatus, Entry, SteadyState, SteadyStates},
    file::JournalFile,
    moment::Moment,
    series::{ProbeSample, ProbeSeries, SampleCounts, SiteSample, SiteSeries},
};
use crate::{
    experiment::{Experiment, Stage},
    verdict::{ProbeOutcome, Verdict},
};

/// What happened in a run. Its fields are those of a journal of Chaos Toolkit, so tools that read these read it; what they do
/// not know is under `x-chaos`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[non_exhaustive]
pub struct Journal {
    /// The program that has written the journal, and its version.
    #[serde(rename = "chaoslib-version")]
    pub version: String,
    /// The system on which the program has run.
    pub platform: String,
    /// The host on which the program has run.
    pub node: String,
    /// The experiment as it was written, without values of headers, users and passwords.
    pub experiment: Experiment,
    /// When the run began.
    pub start: Moment,
    /// How the run ended: `interrupted` until it has.
    pub status: Status,
    /// Whether a probe did not hold while faults were injected, or afterwards.
    pub deviated: bool,
    /// What came of the probes.
    pub steady_states: SteadyStates,
    /// What was done, in order.
    pub run: Vec<Entry>,
    /// What was done to take the faults back. Rules end by themselves: this only says when it was made sure.
    pub rollbacks: Vec<Entry>,
    /// When the run ended, or when the journal was written last.
    pub end: Moment,
    /// The time from the start to the end, in seconds.
    pub duration: f64,
    /// What Chaos Toolkit does not know.
    #[serde(rename = "x-chaos")]
    pub details: Details,
}

impl Journal {
    /// The most changes of probes that are kept each for itself while faults are injected. The series have all of them.
    const MOST_CHANGES: usize = 1000;

    /// The most pairs of a site and a rule of which a series is kept. The comparisons have all.
    pub const MOST_SITES: usize = 64;

    /// The largest number that is kept of an answer.
    const LARGEST: f64 = 1e300;

    /// Creates the journal of a run that begins: until [`finish`](Self::finish), it says that the run was interrupted.
    /// `platform` and `node` are what the program says of its system and its host.
    #[must_use]
    pub fn new(experiment: &Experiment, start: SystemTime, platform: &str, node: &str) -> Self {
        Self {
            version: concat!("chaos-gameday ", env!("CARGO_PKG_VERSION")).into(),
            platform: platform.into(),
            node: node.into(),
            experiment: experiment.masked(),
            start: start.into(),
            status: Status::Interrupted,
            deviated: false,
            steady_states: SteadyStates::default(),
            run: Vec::new(),
            rollbacks: Vec::new(),
            end: start.into(),
            duration: 0.0,
            details: Details::default(),
        }
    }

    /// Reads a journal, whole or of a run that was cut off.
    ///
    /// # Errors
    /// Returns an error if the text is not the JSON of a journal. It has the line and the column.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Returns the seconds from the start of the run to a moment; 0 before it.
    #[must_use]
    pub fn seconds(&self, at: SystemTime) -> f64 {
        let since = at.duration_since(self.start.0).unwrap_or_default();
        since.as_millis() as f64 / 1000.0
    }

    /// Notes where the run is now: a stage, or a phase by its name. Ends the one before.
    pub fn enter(&mut self, stage: Option<Stage>, name: &str, at: SystemTime) {
        let seconds = self.seconds(at);
        if let Some(last) = self.details.phases.last_mut() {
            last.end.get_or_insert(seconds);
        }
        self.details.ended_in = name.into();
        self.details.phases.push(PhaseTimes {
            name: name.into(),
            stage,
            start: seconds,
            end: None,
        });
    }

    /// Notes what came of a probe once. `began` and `ended` say when it was asked; `value` is what is drawn of it: the
    /// seconds that an HTTP request took, or a number.
    pub fn note_probe(
        &mut self,
        probe: &str,
        stage: Stage,
        outcome: &ProbeOutcome,
        value: Option<f64>,
        (began, ended): (SystemTime, SystemTime),
    ) {
        // A probe that could not be asked has not deviated.
        let is_not_held = matches!(outcome, ProbeOutcome::NotHeld(_));
        self.deviated |= stage != Stage::Before && is_not_held;
        // The texts have numbers, which differ each time.
        let answer = Some((stage, mem::discriminant(outcome)));
        // What JSON cannot carry, or a plot draw.
        let value = value.filter(|value| value.abs() <= Self::LARGEST);
        let at = self.seconds(ended);
        let series = self.series(probe);
        let is_change = series.last != answer;
        series.last = answer;
        series.add(ProbeSample::of(outcome, at, value));
        let entry = || Entry::of_probe(probe, outcome, value, began, ended);
        let states = &mut self.steady_states;
        match stage {
            Stage::Before => states.before.get_or_insert_default().replace(entry()),
            Stage::After => states.after.get_or_insert_default().replace(entry()),
            Stage::During if is_change && states.during.len() < Self::MOST_CHANGES => {
                states.during.push(SteadyState::of(entry()));
            }
            Stage::During => {}
        }
    }

    /// Notes how the calls of a site fared that a rule hit, and the others, about once a second. Of the pairs of a site and a
    /// rule, the first [`MOST_SITES`](Self::MOST_SITES) are kept.
    pub fn note_site(&mut self, site: &str, rule: &str, sample: SiteSample) {
        let sites = &mut self.details.sites;
        let all = sites.len().max(1);
        let known = sites
            .iter_mut()
            .find(|it| it.site == site && it.rule == rule);
        if let Some(series) = known {
            series.add(sample, all);
        } else if sites.len() < Self::MOST_SITES {
            let mut series = SiteSeries::new(site, rule);
            series.add(sample, all);
            sites.push(series);
        }
    }

    /// Notes that `pairs` pairs of a site and a rule are counted. Those beyond [`MOST_SITES`](Self::MOST_SITES) have no series;
    /// the most that was noted counts.
    pub fn note_pairs(&mut self, pairs: usize) {
        let left_out = &mut self.details.sites_left_out;
        *left_out = pairs.saturating_sub(Self::MOST_SITES).max(*left_out);
    }

    /// Notes the verdict. The journal is complete.
    pub fn finish(&mut self, verdict: Verdict, reasons: Vec<String>, at: SystemTime) {
        let seconds = self.seconds(at);
        if let Some(last) = self.details.phases.last_mut() {
            last.end.get_or_insert(seconds);
        }
        self.status = match verdict {
            Verdict::Held | Verdict::Inconclusive => Status::Completed,
            Verdict::Deviated | Verdict::NotSteady | Verdict::NotReverted => Status::Failed,
            Verdict::Stopped => Status::Aborted,
            Verdict::Interrupted(_) => Status::Interrupted,
        };
        self.deviated |= verdict == Verdict::Deviated;
        self.details.verdict = Some(verdict);
        self.details.exit_code = Some(verdict.exit_code());
        self.details.reasons = reasons;
        self.ended(at);
    }

    fn ended(&mut self, at: SystemTime) {
        self.duration = self.seconds(at);
        self.end = at.into();
    }

    fn series(&mut self, probe: &str) -> &mut ProbeSeries {
        let all = &mut self.details.probes;
        let at = all.iter().position(|it| it.probe == probe);
        let at = at.unwrap_or_else(|| {
            all.push(ProbeSeries::new(probe));
            all.len() - 1
        });
        &mut all[at]
    }
}

/// Returns the JSON Schema (draft 2020-12) of a journal.
#[must_use]
pub fn journal_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<Journal>().to_value()
}
