//! What is written down and shown of a run as it happens.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chaos_gameday::{
    Entry, Experiment, Group, Journal, JournalFile, Probe, ProbeOutcome, ProbeSeen, SampleCounts,
    SiteSample, Stage,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    args::experiment::RunArgs,
    client::answer::text,
    commands::run::{ask::ProbeAnswer, cut::Cut, groups::Outcomes, stage::Part},
    config::shown,
    failure::{Exit, Failure},
    output::Output,
};

/// Writes down and shows a run.
pub(super) struct Recorder<'r> {
    out: &'r Output,
    pub(super) seen: RefCell<Vec<ProbeSeen>>,
    file: RefCell<JournalFile>,
    /// The rules of all phases, in order, each once.
    rules: Vec<String>,
    /// What was counted at the last sample, by site and rule: the calls that were hit, and the others.
    last: RefCell<BTreeMap<(String, String), (Group, Group)>>,
    /// The probes that did not hold when they were asked last.
    failing: RefCell<Vec<String>>,
}

/// Returns the path of the journal.
fn path(args: &RunArgs) -> PathBuf {
    let beside = || args.file.with_extension("journal.json");
    args.journal.clone().unwrap_or_else(beside)
}

impl<'r> Recorder<'r> {
    /// Begins a journal.
    ///
    /// # Errors
    /// Returns a failure if it cannot be written.
    pub(super) fn open(
        out: &'r Output,
        args: &RunArgs,
        experiment: &Experiment,
        seed: u64,
    ) -> Result<Self, Failure> {
        let path = path(args);
        let mut journal = Journal::new(experiment, now(), std::env::consts::OS, &node());
        journal.details.seed = Some(seed);
        let file = JournalFile::create(&path, journal);
        let file = file.map_err(|error| unwritable(&path, &error))?;
        out.text(format_args!(
            "{}  (seed {seed}, journal {})",
            experiment.title,
            shown(&path)
        ));
        out.json(&json!({ "event": "begin", "experiment": experiment.title, "seed": seed, "journal": shown(&path) }));
        Ok(Self {
            out,
            seen: RefCell::default(),
            file: RefCell::new(file),
            rules: ids(experiment),
            last: RefCell::default(),
            failing: RefCell::default(),
        })
    }

    /// Notes that a part begins.
    pub(super) fn begin(&self, part: &Part) {
        self.last.borrow_mut().clear();
        self.failing.borrow_mut().clear();
        self.note(|journal| journal.enter(part.stage, &part.name, now()));
        self.save();
        let length = humantime::format_duration(part.length);
        self.out.text(format_args!("{:<24}{length}", part.name));
        self.out.json(
            &json!({ "event": "part", "name": part.name, "seconds": part.length.as_secs_f64() }),
        );
    }

    /// Notes that a part is over.
    pub(super) fn end(&self, cut: Option<&Cut>) {
        if let Some(cut) = cut {
            let why = cut.why();
            self.out.text(format_args!("  ended early: {why}"));
            self.out.json(&json!({ "event": "cut", "why": why }));
        }
    }

    /// Notes that rules were armed, or what has cut that short.
    pub(super) fn armed(&self, part: &Part, rules: &[Value], cut: Option<&Cut>, began: SystemTime) {
        if rules.is_empty() {
            return;
        }
        let ids: Vec<_> = rules.iter().map(|rule| text(rule, "id")).collect();
        let result = cut.map_or_else(|| Ok(json!(rules)), |cut| Err(cut.why()));
        let name = format!("arm {} for {}", ids.join(", "), part.name);
        let entry = Entry::of_action(&name, result, began, now());
        self.note(|journal| journal.run.push(entry));
        self.save();
        match cut {
            Some(Cut::NotApplied(refused, _)) => {
                for (endpoint, failure) in refused {
                    self.out.failure(Some(endpoint), failure);
                }
            }
            Some(Cut::Lost(name, failure)) => self.out.failure(Some(name), failure),
            _ => {}
        }
    }

    /// Notes that the rules of a part are gone, or at which targets that is not known.
    pub(super) fn ended(&self, part: &Part, left: &[(String, Failure)], began: SystemTime) {
        if part.ids.is_empty() {
            return;
        }
        let result = match left {
            [] => Ok(json!(part.ids)),
            left => Err(sentences(left).join("; ")),
        };
        let name = format!("delete {} after {}", part.ids.join(", "), part.name);
        let entry = Entry::of_action(&name, result, began, now());
        self.note(|journal| journal.rollbacks.push(entry));
        self.save();
        for (endpoint, failure) in left {
            self.out.failure(Some(endpoint), failure);
        }
    }

    /// Notes what came of a probe that was asked at `start`.
    pub(super) fn probe(
        &self,
        part: &Part,
        probe: &Probe,
        answer: &ProbeAnswer,
        start: SystemTime,
    ) {
        let Some(stage) = part.stage else { return };
        let end = now();
        self.count(probe, stage, &answer.outcome);
        self.note(|journal| {
            let ProbeAnswer { outcome, drawn, .. } = answer;
            journal.note_probe(&probe.name, stage, outcome, *drawn, (start, end));
        });
        let problem = answer.problem();
        self.out.json(&json!({
            "event": "probe",
            "probe": probe.name,
            "part": part.name,
            "held": problem.is_none(),
            "problem": problem,
            "output": answer.output,
        }));
        let mut failing = self.failing.borrow_mut();
        let known = failing.iter().position(|name| *name == probe.name);
        match (problem, known) {
            (Some(problem), None) => {
                self.out.text(format_args!("  {}: {problem}", probe.name));
                failing.push(probe.name.clone());
            }
            (None, Some(at)) => {
                self.out.text(format_args!("  {}: holds again", probe.name));
                failing.swap_remove(at);
            }
            _ => {}
        }
    }

    fn count(&self, probe: &Probe, stage: Stage, outcome: &ProbeOutcome) {
        let mut seen = self.seen.borrow_mut();
        let known = seen
            .iter()
            .position(|it| it.name == probe.name && it.stage == stage);
        let at = known.unwrap_or_else(|| {
            seen.push(ProbeSeen::new(&probe.name, stage));
            seen.len() - 1
        });
        seen[at].add(outcome.clone());
    }

    /// Notes what a second has brought.
    pub(super) fn second(&self, part: &Part, outcomes: &Outcomes, hits: u64) {
        let at = self.file.borrow().journal().seconds(now());
        let mut last = self.last.borrow_mut();
        let mut shown = Vec::new();
        // A series for each rule: two rules see one call, each in its own way.
        for (site, rule) in outcomes.pairs(&self.rules).take(Journal::MOST_SITES) {
            let now = outcomes.hit_and_others(rule, site);
            let before = last.entry((site.to_owned(), rule.to_owned())).or_default();
            let (hit, others) = (now.0.since(&before.0), now.1.since(&before.1));
            let sample = SiteSample {
                at,
                hit: SampleCounts::of(&hit),
                others: SampleCounts::of(&others),
            };
            self.note(|journal| journal.note_site(site, rule, sample));
            shown.push(
                json!({ "site": site, "rule": rule, "hit": sample.hit, "others": sample.others }),
            );
            *before = now;
        }
        self.note(|journal| journal.note_pairs(outcomes.pairs(&self.rules).count()));
        self.save();
        self.out.json(&json!({ "event": "second", "part": part.name, "at": at, "hits": hits, "sites": shown }));
        if self.out.is_terminal() && !part.ids.is_empty() {
            self.out.note(format_args!("{at:>6.0} s  hit {hits}"));
        }
    }

    /// Changes the journal, which is written with the next second at the latest.
    pub(super) fn note(&self, note: impl FnOnce(&mut Journal)) {
        self.file.borrow_mut().change(note);
    }

    /// Writes what is known by now. A run does not end because its journal cannot be written.
    pub(super) fn save(&self) {
        if let Err(error) = self.file.borrow_mut().record(now(), |_| {}) {
            self.out
                .note(format_args!("the journal cannot be written: {error}"));
        }
    }

    /// Returns the journal.
    pub(super) fn journal(&self) -> Journal {
        self.file.borrow().journal().clone()
    }
}

/// Returns the ids of an experiment's rules, each once.
fn ids(experiment: &Experiment) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for rule in experiment.rules() {
        if !ids.iter().any(|id| id == rule.id()) {
            ids.push(rule.id().to_owned());
        }
    }
    ids
}

pub(super) fn now() -> SystemTime {
    Timestamp::now().into()
}

/// Returns the name of this machine.
fn node() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let named = read.or_else(|_| std::env::var("HOSTNAME"));
    named.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Returns the failure for a file that cannot be written.
pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("the file cannot be written: {error}"));
    failure.at(shown(path), "a file that can be written")
}

pub(super) fn sentences(failures: &[(String, Failure)]) -> Vec<String> {
    let sentence = |(endpoint, failure): &(String, Failure)| format!("{endpoint}: {failure}");
    failures.iter().map(sentence).collect()
}
