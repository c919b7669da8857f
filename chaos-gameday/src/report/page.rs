//! What a report says, as texts that a template puts in place.

use std::fmt::Display;

use super::{
    figure::Figure,
    plot,
    words::{self, asks, clock, expects, percent, stages},
};
use crate::{
    experiment::{Experiment, Probe, Target},
    journal::{Comparison, Journal, TargetFate, TargetOutcome},
    span::Span,
    verdict::Verdict,
};

/// How much of a journal has room on a page.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// The most rows of a table of rules, of the audit or of targets, and the most tasks.
    pub(super) rows: usize,
    /// The most characters of a text in a table.
    pub(super) text: usize,
    /// The most plots.
    pub(super) figures: usize,
    /// The most rows of the tables of all plots together.
    pub(super) points: usize,
}

impl Room {
    /// What a page usually has room for.
    pub(super) const USUAL: Self = Self {
        rows: 200,
        text: 1000,
        figures: 40,
        points: 1200,
    };

    /// Returns half of it.
    pub(super) fn half(self) -> Self {
        Self {
            rows: self.rows / 2,
            text: self.text / 2,
            figures: self.figures / 2,
            points: self.points / 2,
        }
    }

    fn cut(self, text: &str) -> String {
        match text.char_indices().nth(self.text) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }
}

/// What a report says.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) description: String,
    /// The verdict in words, and its class.
    pub(super) verdict: String,
    pub(super) verdict_class: &'static str,
    pub(super) reasons: Vec<String>,
    /// Names and values: who, when, how long.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) hypothesis: String,
    pub(super) probes: Table,
    pub(super) outcome: Table,
    pub(super) comparisons: Table,
    pub(super) phases: Table,
    pub(super) rules: Table,
    pub(super) audit: Table,
    pub(super) targets: Table,
    pub(super) figures: Vec<Figure>,
    /// How many plots were left out.
    pub(super) figures_left_out: usize,
    /// How many pairs of a site and a rule have no series.
    pub(super) sites_left_out: usize,
    /// What is to be done, and who does it.
    pub(super) follow_ups: Vec<(String, String)>,
    pub(super) command: String,
}

/// A table with its head. How many rows were left out is said below it.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) left_out: usize,
}

impl Table {
    fn new(title: &'static str, head: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self {
            title,
            head,
            rows,
            left_out: 0,
        }
    }

    fn within(mut self, room: Room) -> Self {
        self.left_out = self.rows.len().saturating_sub(room.rows);
        self.rows.truncate(room.rows);
        let cells = self.rows.iter_mut().flatten();
        cells.for_each(|cell| *cell = room.cut(cell));
        self
    }
}

impl Page {
    pub(super) fn of(journal: &Journal, room: Room) -> Self {
        let (experiment, details) = (&journal.experiment, &journal.details);
        let verdict = details.verdict.map(|it| it.to_string());
        let cut_off = || format!("the run was cut off in {:?}", details.ended_in);
        let reasons = match &details.reasons[..] {
            [] => vec![cut_off()],
            reasons => reasons
                .iter()
                .take(room.rows)
                .map(|it| room.cut(it))
                .collect(),
        };
        let class = match details.verdict.map(Verdict::exit_code) {
            Some(0) => "good",
            Some(11 | 13 | 15) => "bad",
            _ => "open",
        };
        let (mut figures, figures_left_out) = Figure::all(journal, room.figures, room.points);
        for (n, figure) in figures.iter_mut().enumerate() {
            let id = format!("plot-{n}");
            figure.svg = plot::draw(figure, &details.phases, journal.duration, &id);
        }
        Self {
            title: experiment.title.clone(),
            description: room.cut(&experiment.description),
            verdict: verdict.unwrap_or_else(|| "interrupted".into()),
            verdict_class: class,
            reasons,
            facts: (facts(journal).into_iter())
                .map(|(name, value)| (name, room.cut(&value)))
                .collect(),
            hypothesis: experiment.hypothesis.title.clone(),
            probes: probes(journal).within(room),
            outcome: outcome(journal).within(room),
            comparisons: comparisons(journal).within(room),
            phases: phases(journal).within(room),
            rules: rules(experiment).within(room),
            audit: audit(journal).within(room),
            targets: targets(&details.targets).within(room),
            figures,
            figures_left_out,
            sites_left_out: details.sites_left_out,
            follow_ups: (experiment.follow_ups.iter().take(room.rows))
                .map(|it| (room.cut(&it.text), it.owner.clone().unwrap_or_default()))
                .collect(),
            command: match details.seed {
                Some(seed) => format!("chaosctl run experiment.yaml --seed {seed}"),
                None => "chaosctl run experiment.yaml".into(),
            },
        }
    }
}

fn facts(journal: &Journal) -> Vec<(&'static str, String)> {
    let experiment = &journal.experiment;
    let target = match &experiment.target {
        Target::Endpoints(endpoints) => match &endpoints[..] {
            [one] => one.clone(),
            several => format!("{} endpoints", several.len()),
        },
        Target::Fleet(fleet) => format!("the fleet {}", fleet.name),
    };
    let some = |name, value: Option<String>| value.map(|value| (name, value));
    let list = |name, list: &[String]| (!list.is_empty()).then(|| (name, list.join(", ")));
    let seed = journal.details.seed.map(|seed| seed.to_string());
    let facts = [
        some("Owner", experiment.owner.clone()),
        list("Watchers", &experiment.watchers),
        list("Tags", &experiment.tags),
        some("Target", Some(target)),
        some("Began", Some(journal.start.to_string())),
        some("Ended", Some(journal.end.to_string())),
        some("Took", Some(words::seconds(journal.duration))),
        some("Seed", seed),
        some(
            "Host",
            Some(format!("{}, {}", journal.node, journal.platform)),
        ),
        some("Written by", Some(journal.version.clone())),
    ];
    facts.into_iter().flatten().collect()
}

fn probes(journal: &Journal) -> Table {
    let row = |probe: &Probe| {
        let series = journal
            .details
            .probes
            .iter()
            .find(|it| it.probe == probe.name);
        let samples = series.map(|it| &it.samples[..]).unwrap_or_default();
        let asked: u64 = samples.iter().map(|it| it.asked).sum();
        let held: u64 = samples.iter().map(|it| it.held).sum();
        vec![
            probe.name.clone(),
            asks(&probe.question),
            expects(&probe.question),
            stages(probe),
            match asked {
                0 => "not asked".into(),
                _ => format!("{held} of {asked} times"),
            },
        ]
    };
    let rows = journal.experiment.hypothesis.probes.iter().map(row);
    let head = vec!["probe", "asks", "expects", "when", "held"];
    Table::new("Probes", head, rows.collect())
}

/// The estimate beside the outcome.
fn outcome(journal: &Journal) -> Table {
    let (experiment, details) = (&journal.experiment, &journal.details);
    let number = |number: Option<u64>| number.map_or("not made".to_owned(), |it| it.to_string());
    let needed = experiment.estimate.as_ref().map(|it| it.hits.at_least);
    let found = details.estimate.map(|it| it.hits);
    let row = |name: &str, length, hits: String, needed: Option<u64>| {
        let needed = needed.map_or("nothing".to_owned(), |it| format!("at least {it}"));
        vec![name.to_owned(), Span(length).to_string(), hits, needed]
    };
    let mut rows = Vec::new();
    if let Some(estimate) = &experiment.estimate {
        rows.push(row(
            "estimate, nothing injected",
            estimate.length.0,
            number(found),
            needed,
        ));
    }
    let least = Some(experiment.conclusive.hits.at_least);
    rows.push(row(
        "outcome, all phases",
        experiment.injecting(),
        details.hits.to_string(),
        least,
    ));
    let head = vec!["", "planned for", "calls hit", "needed"];
    Table::new("Estimate and outcome", head, rows)
}

fn comparisons(journal: &Journal) -> Table {
    let row = |it: &Comparison| {
        let why = journal.experiment.not_comparable(&it.phase, &it.rule);
        let known = it.error_ratio.as_ref().filter(|_| why.is_none());
        let unknown = || why.map_or("not known".into(), |why| format!("not compared: {why}"));
        vec![
            it.phase.clone(),
            it.site.clone(),
            it.rule.clone(),
            words::failed(&it.hit),
            words::failed(&it.spared),
            known.map_or_else(unknown, words::difference),
            known.map_or("", |it| words::method(it.method)).to_owned(),
        ]
    };
    let head = vec![
        "phase",
        "site",
        "rule",
        "hit calls that failed",
        "spared calls that failed",
        "difference, with its 95 % interval",
        "by",
    ];
    Table::new(
        "Hit against spared",
        head,
        (journal.details.comparisons.iter()).map(row).collect(),
    )
}

fn phases(journal: &Journal) -> Table {
    let rows = journal.details.phases.iter().map(|it| {
        let end = it.end.map_or("cut off".to_owned(), clock);
        vec![
            it.name.clone(),
            words::shade(it).to_owned(),
            clock(it.start),
            end,
        ]
    });
    let head = vec!["phase", "stage", "began", "ended"];
    Table::new("Phases", head, rows.collect())
}

fn rules(experiment: &Experiment) -> Table {
    let rules = experiment.phases.iter();
    let rows = rules.flat_map(|phase| {
        phase.rules.iter().map(|rule| {
            let it = rule.rule();
            let rate = rule.json().get("rate");
            let rate = match (
                rate.and_then(serde_json::Value::as_f64),
                rule.json().get("program"),
            ) {
                (Some(rate), _) => percent(rate),
                (None, Some(_)) => "by its program".into(),
                (None, None) => percent(1.0),
            };
            vec![
                phase.name.clone(),
                rule.id().to_owned(),
                it.site().to_string(),
                rate,
                it.fault_names(),
            ]
        })
    });
    let head = vec!["phase", "rule", "site", "rate", "faults"];
    Table::new("Rules", head, rows.collect())
}

fn audit(journal: &Journal) -> Table {
    let rows = journal.details.audit.iter().map(|it| {
        let texts: [&dyn Display; 5] = [&it.at, &it.target, &it.actor, &it.action, &it.reason];
        texts.map(ToString::to_string).to_vec()
    });
    let head = vec!["when", "where", "who", "what", "why"];
    Table::new("Timeline", head, rows.collect())
}

fn targets(targets: &[TargetOutcome]) -> Table {
    // What went wrong comes first, in case that not all have room.
    let mut sorted: Vec<_> = targets.iter().collect();
    sorted.sort_by_key(|it| it.fate == TargetFate::Applied);
    let rows = sorted.iter().map(|it| {
        vec![
            it.target.clone(),
            words::fate(it.fate).to_owned(),
            it.hits.to_string(),
            it.problem.clone(),
        ]
    });
    let head = vec!["target", "rules", "calls hit", "problem"];
    Table::new("Targets", head, rows.collect())
}
