//! An experiment: what is believed, what is injected, and what would be a surprise.

mod comparable;
mod document;
mod expectation;
mod format;
mod limits;
mod masked;
mod phase;
mod place;
mod probe;
mod probe_document;
mod probe_reader;
mod rule_document;
mod schema;
mod strict;
mod target;
mod terms;

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::{
    comparable::Compared,
    document::{ExperimentDoc, HypothesisDoc},
};
pub use self::{
    expectation::{HttpAnswer, HttpExpect, JsonExpect, Pattern},
    format::Format,
    phase::{Phase, PhaseRule},
    probe::{
        Compare, HttpRequest, NumberBounds, Probe, PromqlQuery, QuantileBound, Question,
        SiteExpect, Stage,
    },
    schema::experiment_schema,
    target::{FleetTarget, Target},
    terms::{AtLeast, Conclusive, Estimate, FollowUp, Observe, Stop, WorseThanControl},
};
use crate::{error::ExperimentError, objects, span::Span};

/// An experiment: what is believed, what is injected, and what would be a surprise. What is made by [`experiment_from`] is
/// valid; whether a target accepts its rules is the target's own decision.
///
/// It is serialized as it is written, and deserialized with the checks of [`experiment_from`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Experiment {
    /// What the experiment is called, in one line.
    pub title: String,
    /// What is done and why; may be empty.
    pub description: String,
    /// Who is responsible for the experiment.
    pub owner: Option<String>,
    /// Who wants to know what comes of it.
    pub watchers: Vec<String>,
    /// Words to find the experiment by.
    pub tags: Vec<String>,
    /// Where faults are injected.
    pub target: Target,
    /// What is believed to hold, and how it is asked.
    pub hypothesis: Hypothesis,
    /// How long the rules run in shadow mode before anything is injected, if they do.
    pub estimate: Option<Estimate>,
    /// How long is observed before and after the phases.
    pub observe: Observe,
    /// What is injected, one phase after another: 1 to 32, with at least one rule in all.
    pub phases: Vec<Phase>,
    /// What ends the experiment before its time.
    pub stop: Stop,
    /// What must have happened for the experiment to prove anything.
    pub conclusive: Conclusive,
    /// What is to be done afterwards.
    pub follow_ups: Vec<FollowUp>,
}

/// What is believed to hold, and how it is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hypothesis {
    /// The belief, in one sentence.
    pub title: String,
    /// How it is asked whether the belief holds: 1 to 64 probes.
    pub probes: Vec<Probe>,
}

/// Reads an experiment.
///
/// ```
/// use chaos_gameday::{Format, experiment_from};
///
/// let experiment = experiment_from(
///     r#"
/// title: Lost reads do not reach shoppers
/// target: { endpoint: "http://127.0.0.1:9900" }
/// hypothesis:
///   title: Shoppers see their products
///   probes:
///     - { name: products, http: { url: "http://127.0.0.1:3000/products" }, expect: { status: 200 } }
/// phases:
///   - { name: one in a hundred, for: 60s, rules: [ { id: lost, site: db.read, rate: 0.01, faults: [ { error: lost } ] } ] }
/// "#,
///     Format::Yaml,
/// )?;
/// assert_eq!(experiment.phases[0].rules[0].id(), "lost");
/// # Ok::<(), chaos_gameday::ExperimentError>(())
/// ```
///
/// # Errors
/// Returns an error if the text cannot be read, has an unknown field, or says what is not allowed. It has the line and the
/// column, and the field if the text can be read.
pub fn experiment_from(text: &str, format: Format) -> Result<Experiment, ExperimentError> {
    limits::at_most("", text, limits::DOCUMENT)?;
    let read = Experiment::read(format.read(text)?);
    read.map_err(|error| {
        let place = format.place_of(text, error.field());
        error.at(place)
    })
}

impl Experiment {
    /// Returns how long an experiment takes that nothing ends before its time, without what its probes take.
    #[must_use]
    pub fn length(&self) -> Duration {
        let (Span(before), Span(after)) = (self.observe.before, self.observe.after);
        let estimate = self.estimate.as_ref().map(|it| it.length.0);
        before + estimate.unwrap_or_default() + self.injecting() + after
    }

    /// Returns how long the phases take together.
    #[must_use]
    pub fn injecting(&self) -> Duration {
        self.phases.iter().map(|phase| phase.length).sum()
    }

    /// Returns the rules of all phases, in order.
    pub fn rules(&self) -> impl Iterator<Item = &PhaseRule> {
        self.phases.iter().flat_map(|phase| &phase.rules)
    }

    fn read(doc: ExperimentDoc) -> Result<Self, ExperimentError> {
        limits::text("title", &doc.title, limits::TITLE)?;
        limits::at_most("description", &doc.description, limits::DESCRIPTION)?;
        if let Some(owner) = &doc.owner {
            limits::text("owner", owner, limits::TITLE)?;
        }
        limits::texts("watchers", &doc.watchers, limits::TITLE)?;
        limits::texts("tags", &doc.tags, limits::TITLE)?;
        doc.estimate.as_ref().map_or(Ok(()), Estimate::check)?;
        doc.observe.check()?;
        doc.conclusive.check()?;
        doc.stop.check()?;
        limits::count("phases", doc.phases.len(), 1, limits::PHASES)?;
        let phases = doc.phases.into_iter().enumerate();
        let phases = phases.map(|(n, phase)| Phase::read(phase, &format!("phases[{n}]")));
        limits::count("follow_ups", doc.follow_ups.len(), 0, limits::LIST)?;
        let follow_ups = doc.follow_ups.into_iter().enumerate();
        let follow_ups =
            follow_ups.map(|(n, doc)| FollowUp::read(doc, &format!("follow_ups[{n}]")));
        let experiment = Self {
            title: doc.title,
            description: doc.description,
            owner: doc.owner,
            watchers: doc.watchers,
            tags: doc.tags,
            target: Target::read(doc.target)?,
            hypothesis: Hypothesis::read(doc.hypothesis)?,
            estimate: doc.estimate,
            observe: doc.observe,
            phases: phases.collect::<Result<_, _>>()?,
            stop: doc.stop,
            conclusive: doc.conclusive,
            follow_ups: follow_ups.collect::<Result<_, _>>()?,
        };
        experiment.check()?;
        Ok(experiment)
    }

    /// Checks what several fields say together.
    fn check(&self) -> Result<(), ExperimentError> {
        let names = self.phases.iter().map(|phase| &*phase.name);
        limits::unique("phases", "phase", names)?;
        let probes = &self.hypothesis.probes;
        let names = probes.iter().map(|probe| &*probe.name);
        limits::unique("hypothesis.probes", "probe", names)?;
        if self.rules().next().is_none() {
            let problem = "no phase has a rule";
            return Err(ExperimentError::new("phases", problem, "at least one rule"));
        }
        for (n, probe) in probes.iter().enumerate() {
            if let Question::Compare { compare, .. } = &probe.question {
                let field = format!("hypothesis.probes[{n}].compare.rule");
                let compared = match compare.latency.is_empty() {
                    true => Compared::Failures,
                    false => Compared::Latencies,
                };
                self.check_rule(&field, &compare.rule, compared)?;
            }
        }
        if let Some(worse) = &self.stop.worse_than_control {
            let field = "stop.worse_than_control.rule";
            self.check_rule(field, &worse.rule, Compared::Failures)?;
        }
        let asked = probes.iter().filter_map(|probe| probe.question.site());
        let bound = self.stop.worse_than_control.as_ref();
        let sites: BTreeSet<_> = asked.chain(bound.map(|bound| &*bound.site)).collect();
        let rules = self.phases.iter().map(|phase| phase.rules.len());
        limits::counted(sites.len(), rules)?;
        let asks_later = |probe: &Probe| probe.ask.iter().any(|stage| *stage != Stage::Before);
        if !probes.iter().any(asks_later) {
            let problem = "no probe is asked once faults are injected, so nothing could be shown";
            let allowed = "at least one with `during` or `after` in its `ask`";
            return Err(ExperimentError::new("hypothesis.probes", problem, allowed));
        }
        let shared = self.phases.iter().position(|phase| phase.share.is_some());
        if let (Target::Endpoints(_), Some(n)) = (&self.target, shared) {
            let (field, problem) = (format!("phases[{n}].share"), "only a fleet has shares");
            return Err(ExperimentError::new(field, problem, "no share"));
        }
        limits::span("", Span(self.length()), limits::PHASE).map_err(|error| {
            let problem = format!("the whole experiment: {}", error.problem());
            ExperimentError::new("", problem, error.allowed())
        })?;
        Ok(())
    }

    /// Checks a rule by whose draws calls are compared, in each phase that has it.
    fn check_rule(&self, field: &str, id: &str, compared: Compared) -> Result<(), ExperimentError> {
        let mut found = self.rules().filter(|rule| rule.id() == id).peekable();
        if found.peek().is_some() {
            return found.try_for_each(|rule| comparable::check(field, rule, compared));
        }
        let mut ids: Vec<_> = self.rules().map(PhaseRule::id).collect();
        ids.sort_unstable();
        ids.dedup();
        let problem = format!("no phase has a rule {id:?}");
        Err(ExperimentError::new(field, problem, ids.join(", ")))
    }

    fn document(&self) -> ExperimentDoc {
        ExperimentDoc {
            title: self.title.clone(),
            description: self.description.clone(),
            owner: self.owner.clone(),
            watchers: self.watchers.clone(),
            tags: self.tags.clone(),
            target: self.target.document(),
            hypothesis: HypothesisDoc {
                title: self.hypothesis.title.clone(),
                probes: (self.hypothesis.probes.iter())
                    .map(Probe::document)
                    .collect(),
            },
            estimate: self.estimate.clone(),
            observe: self.observe.clone(),
            phases: self.phases.iter().map(Phase::document).collect(),
            stop: self.stop.clone(),
            conclusive: self.conclusive.clone(),
            follow_ups: self.follow_ups.iter().map(FollowUp::document).collect(),
        }
    }
}

impl Hypothesis {
    fn read(doc: HypothesisDoc) -> Result<Self, ExperimentError> {
        limits::text("hypothesis.title", &doc.title, limits::TITLE)?;
        limits::count("hypothesis.probes", doc.probes.len(), 1, limits::PROBES)?;
        let probes = doc.probes.into_iter().enumerate();
        let probes =
            probes.map(|(n, probe)| Probe::read(probe, &format!("hypothesis.probes[{n}]")));
        Ok(Self {
            title: doc.title,
            probes: probes.collect::<Result<_, _>>()?,
        })
    }
}

impl Serialize for Experiment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Experiment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let doc: ExperimentDoc = objects::object(deserializer)?;
        Self::read(doc).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Experiment {
    fn schema_name() -> Cow<'static, str> {
        ExperimentDoc::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ExperimentDoc::json_schema(generator)
    }
}
