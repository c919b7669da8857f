//! What was measured during an attack, whether it keeps the bounds, and the table of all attacks.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use crate::checks::attacks::{attack::Attack, report::Report, victim::Victim};

/// The longest that a halt takes, at the 99th percentile.
const HALT: Duration = Duration::from_millis(250);
/// By how much the latency of the service may be longer than twice that of one that is not attacked, at the
/// 99th percentile.
const SLACK: Duration = Duration::from_millis(5);
/// How many descriptions of failed calls are shown.
const SHOWN: usize = 3;

/// The latencies of some calls, in order of length, and the failures.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    times: Vec<Duration>,
    failures: Vec<String>,
}

impl Latencies {
    pub(super) fn of(calls: Vec<Result<Duration, String>>) -> Self {
        let (mut times, mut failures) = (Vec::new(), Vec::new());
        for call in calls {
            match call {
                Ok(time) => times.push(time),
                Err(failure) => failures.push(failure),
            }
        }
        times.sort_unstable();
        Self { times, failures }
    }

    fn percentile(&self, percent: usize) -> Duration {
        let at = self.times.len() * percent / 100;
        let last = self.times.len().saturating_sub(1);
        self.times.get(at.min(last)).copied().unwrap_or_default()
    }

    fn cell(&self) -> String {
        let in_ms = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        format!("{:.1} / {:.1}", in_ms(50), in_ms(99))
    }

    fn failures(&self, of: &str) -> Vec<String> {
        let number = self.failures.len();
        let first = self.failures.iter().take(SHOWN);
        first
            .map(|failure| format!("{number} {of} failed: {failure}"))
            .collect()
    }
}

/// A victim after an attack.
#[derive(Debug)]
pub(super) struct Struck<'v> {
    pub(super) victim: &'v Victim,
    pub(super) report: &'v Report,
    /// How many bytes the victim read during the attack.
    pub(super) bytes_read: u64,
}

/// The result of one attack.
#[derive(Clone, Debug)]
pub struct Measured {
    name: &'static str,
    case: &'static str,
    by: &'static str,
    measured: Measurements,
    slow: Vec<String>,
    wrong: Vec<String>,
}

/// Everything that is measured of an attack.
#[derive(Clone, Debug)]
pub(super) struct Measurements {
    pub(super) report: Report,
    pub(super) quiet: Latencies,
    pub(super) under_attack: Latencies,
    /// The latencies of a service that is not attacked, meanwhile.
    pub(super) bystander: Latencies,
    pub(super) halts: Latencies,
    /// The most memory that the victim had, in bytes.
    pub(super) memory: u64,
    /// What the attack's own check found.
    pub(super) also: Vec<String>,
}

impl Measured {
    pub(super) fn new(attack: &Attack, measured: Measurements) -> Self {
        let mut slow = Vec::new();
        let usual = measured
            .quiet
            .percentile(99)
            .max(measured.bystander.percentile(99));
        let mut at_most = |what, took, bound| {
            if took > bound {
                slow.push(format!("{what} took {took:?}, more than {bound:?}"));
            }
        };
        if !attack.slows_the_service {
            at_most(
                "a call",
                measured.under_attack.percentile(99),
                usual * 2 + SLACK,
            );
        }
        at_most("a halt", measured.halts.percentile(99), HALT);
        let mut wrong = measured.quiet.failures("calls before the attack");
        wrong.extend(measured.under_attack.failures("calls"));
        wrong.extend(measured.bystander.failures("calls of the other service"));
        wrong.extend(measured.halts.failures("halts"));
        if measured.memory > attack.memory {
            let [memory, most] = [measured.memory, attack.memory].map(mebibytes);
            wrong.push(format!("{memory} of memory, more than {most}"));
        }
        wrong.extend_from_slice(&measured.also);
        if measured.report.per_second() <= 0.0 {
            wrong.push("the attacker did nothing".to_owned());
        }
        Self {
            name: attack.name,
            case: attack.case,
            by: attack.by,
            measured,
            slow,
            wrong,
        }
    }

    /// Returns whether nothing is wrong but latencies.
    pub(super) fn is_only_slow(&self) -> bool {
        self.wrong.is_empty() && !self.slow.is_empty()
    }

    /// Returns what bounds were exceeded, and what else was wrong.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let all = self.slow.iter().chain(&self.wrong);
        all.map(|what| format!("{}: {what}", self.name)).collect()
    }

    fn cells(&self) -> [String; 11] {
        let is_kept = self.slow.is_empty() && self.wrong.is_empty();
        let measured = &self.measured;
        [
            self.case.to_owned(),
            self.name.to_owned(),
            self.by.to_owned(),
            format!("{:.0}", measured.report.per_second()),
            measured.report.statuses(),
            measured.quiet.cell(),
            measured.bystander.cell(),
            measured.under_attack.cell(),
            measured.halts.cell(),
            mebibytes(measured.memory),
            if is_kept { "ok" } else { "FAILED" }.to_owned(),
        ]
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Returns the table of the results, as Markdown text. Latencies are the 50th and 99th percentile in
/// milliseconds.
#[must_use]
pub fn table(results: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "case",
        "attack",
        "by",
        "a second",
        "answers",
        "quiet",
        "bystander",
        "attacked",
        "halt",
        "memory",
        "",
    ]);
    table.add_rows(results.iter().map(Measured::cells));
    for column in [3, 5, 6, 7, 8, 9] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
