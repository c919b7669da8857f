//! What is drawn: lines over time, and the table of the same numbers.

use super::words::{clock, rounded};
use crate::journal::{Journal, ProbeSample, ProbeSeries, SiteSample, SiteSeries};

/// A plot with its table.
pub(super) struct Figure {
    pub(super) title: String,
    /// What the plot shows, for those who do not see it.
    pub(super) description: String,
    pub(super) unit: &'static str,
    pub(super) lines: Vec<Line>,
    /// The times at which a probe did not hold, with what is drawn there.
    pub(super) marks: Vec<(f64, f64)>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// The SVG; empty if there is no number to draw.
    pub(super) svg: String,
}

/// A line of a plot.
pub(super) struct Line {
    pub(super) kind: LineKind,
    /// Seconds since the start, and the number there, if there is one.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LineKind {
    /// What a probe was answered, or how the calls fared that the rule did not hit.
    Plain,
    /// How the calls fared that were hit.
    Hit,
}

impl Figure {
    /// Returns the figures of a journal, without their plots: at most `figures`, with at most `points` rows together. And how
    /// many were left out: they are those of probes that always held, and of the last sites.
    pub(super) fn all(journal: &Journal, figures: usize, points: usize) -> (Vec<Self>, usize) {
        let details = &journal.details;
        let found = details.probes.len() + 2 * details.sites.len();
        let most = (points / found.min(figures).max(1)).clamp(6, 120);
        let probes = details.probes.iter();
        let mut all: Vec<_> = probes.map(|series| Self::of_probe(series, most)).collect();
        for series in &details.sites {
            let samples = fewer(&series.samples, most, SiteSample::and);
            all.push(Self::of_failures(series, &samples));
            all.push(Self::of_latencies(series, &samples));
        }
        if all.len() > figures {
            all.sort_by_key(|figure| figure.marks.is_empty() && !figure.compares());
            all.truncate(figures);
        }
        let left_out = found - all.len();
        (all, left_out)
    }

    fn of_probe(series: &ProbeSeries, most: usize) -> Self {
        let samples = fewer(&series.samples, most, ProbeSample::and);
        let value = |it: &ProbeSample| it.value.map(rounded);
        let points = samples.iter().map(|it| (it.at, value(it))).collect();
        let marks = samples.iter().filter(|it| it.deviated() > 0);
        let marks: Vec<_> = marks.map(|it| (it.at, value(it).unwrap_or(0.0))).collect();
        let sum = |times: fn(&ProbeSample) -> u64| series.samples.iter().map(times).sum::<u64>();
        let (asked, held) = (sum(|it| it.asked), sum(|it| it.held));
        let unknown = match sum(|it| it.unanswered + it.undecided) {
            0 => String::new(),
            times => format!(" It could not be asked or decided {times} times."),
        };
        let row = |it: &ProbeSample| {
            let value = value(it).map_or("none".to_owned(), |value| value.to_string());
            vec![
                clock(it.at),
                it.asked.to_string(),
                it.held.to_string(),
                it.unanswered.to_string(),
                it.undecided.to_string(),
                value,
            ]
        };
        Self {
            title: format!("Probe: {}", series.probe),
            description: format!(
                "What the probe {} was answered over time. It held {held} of {asked} times; \
                 the times when it did not hold are marked.{unknown}",
                series.probe
            ),
            unit: "answer (seconds, or the number)",
            lines: vec![Line {
                kind: LineKind::Plain,
                points,
            }],
            marks,
            head: vec!["time", "asked", "held", "unanswered", "undecided", "answer"],
            rows: samples.iter().map(row).collect(),
            svg: String::new(),
        }
    }

    fn of_failures(series: &SiteSeries, samples: &[SiteSample]) -> Self {
        let share = |calls: u64, failed: u64| {
            (calls > 0).then(|| rounded(failed as f64 / calls as f64 * 100.0))
        };
        let hit = |it: &SiteSample| share(it.hit.calls, it.hit.failed);
        let others = |it: &SiteSample| share(it.others.calls, it.others.failed);
        let row = |it: &SiteSample| {
            let text = |share: Option<f64>| share.map_or("none".to_owned(), |it| it.to_string());
            vec![
                clock(it.at),
                it.hit.calls.to_string(),
                it.hit.failed.to_string(),
                text(hit(it)),
                it.others.calls.to_string(),
                it.others.failed.to_string(),
                text(others(it)),
            ]
        };
        Self {
            title: format!("Site {}, rule {}: failures", series.site, series.rule),
            description: format!(
                "The part of the calls of {} that failed over time: those that {} hit against the \
                 others.",
                series.site, series.rule
            ),
            unit: "calls that failed, %",
            lines: lines(samples, hit, others),
            marks: Vec::new(),
            head: vec![
                "time",
                "hit",
                "failed",
                "failed, %",
                "others",
                "failed",
                "failed, %",
            ],
            rows: samples.iter().map(row).collect(),
            svg: String::new(),
        }
    }

    fn of_latencies(series: &SiteSeries, samples: &[SiteSample]) -> Self {
        let millis = |nanos: Option<u64>| nanos.map(|nanos| rounded(nanos as f64 / 1e6));
        let hit = |it: &SiteSample| millis(it.hit.p99);
        let others = |it: &SiteSample| millis(it.others.p99);
        let row = |it: &SiteSample| {
            let text = |nanos| millis(nanos).map_or("none".to_owned(), |it| it.to_string());
            vec![
                clock(it.at),
                text(it.hit.p50),
                text(it.hit.p99),
                text(it.others.p50),
                text(it.others.p99),
            ]
        };
        Self {
            title: format!("Site {}, rule {}: latency", series.site, series.rule),
            description: format!(
                "The 99th percentile of the latency of the calls of {} over time, in \
                 milliseconds: those that {} hit against the others.",
                series.site, series.rule
            ),
            unit: "99th percentile, ms",
            lines: lines(samples, hit, others),
            marks: Vec::new(),
            head: vec![
                "time",
                "hit: p50, ms",
                "hit: p99, ms",
                "others: p50, ms",
                "others: p99, ms",
            ],
            rows: samples.iter().map(row).collect(),
            svg: String::new(),
        }
    }

    /// Returns whether the calls that were hit are told apart from the others.
    pub(super) fn compares(&self) -> bool {
        self.lines.len() > 1
    }
}

fn lines(
    samples: &[SiteSample],
    hit: impl Fn(&SiteSample) -> Option<f64>,
    others: impl Fn(&SiteSample) -> Option<f64>,
) -> Vec<Line> {
    let line = |kind, value: &dyn Fn(&SiteSample) -> Option<f64>| Line {
        kind,
        points: samples.iter().map(|it| (it.at, value(it))).collect(),
    };
    vec![line(LineKind::Plain, &others), line(LineKind::Hit, &hit)]
}

/// Puts neighbours together until there are at most so many.
fn fewer<S: Copy>(samples: &[S], most: usize, and: fn(S, S) -> S) -> Vec<S> {
    let together = samples.len().div_ceil(most).max(1);
    let parts = samples.chunks(together);
    parts
        .filter_map(|part| part.iter().copied().reduce(and))
        .collect()
}
