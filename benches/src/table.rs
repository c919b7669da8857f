//! The table of results, and whether each row meets its target.

use comfy_table::{CellAlignment, Table, presets};

use crate::{
    callgrind::Counts,
    case::{Case, Limit},
    clock::Times,
};

/// The measurements of a case, relative to its base if it has one.
#[derive(Debug)]
pub struct Row<'c> {
    /// The measured case.
    pub case: &'c Case,
    /// The case that is subtracted.
    pub base: Option<&'c Case>,
    /// The times.
    pub times: Times,
    /// Allocations per call.
    pub allocations: f64,
    /// Instructions per call, if they were counted.
    pub instructions: Option<f64>,
    /// The maximum number of instructions.
    pub limit: Option<f64>,
}

/// Whether a row meets its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The row has no target.
    NoTarget,
    /// The instructions were not counted, because valgrind is missing or failed.
    NotCounted,
    /// The row meets its target.
    Met,
    /// The row doesn't meet its target, which is known, and is not worse than the held value.
    Held,
    /// The row misses its target, or is worse than the held value.
    Missed,
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::NoTarget => "",
            Self::NotCounted => "?",
            Self::Met => "ok",
            Self::Held => "not met, held",
            Self::Missed => "MISSED",
        }
    }
}

/// An explanation of the table, printed below it.
pub const LEGEND: &str = "\
A figure with a sign is what the row adds, per call, to the row named under `over`. `instr` is the
number of instructions under callgrind, rounded before it is compared with the target; for axum, the
count varies by 4. `ns` has no target. A target that is not met yet is held at the current value. Any
row fails if it costs more than benches/results has; `cargo xtask costs` writes what it costs now.";

/// Sets the instruction counts of the rows, and their limits.
///
/// # Panics
/// Panics if `counts` lacks a case of `rows` or a base of one.
pub fn fill_in(rows: &mut [Row<'_>], counts: &Counts) {
    let over_base = |case: &Case| {
        let base = case.base.map_or(0.0, |base| counts[base]);
        counts[case.name] - base
    };
    for row in &mut *rows {
        row.instructions = Some(over_base(row.case));
    }
    for at in 0..rows.len() {
        rows[at].limit = match rows[at].case.target.map(|target| target.instructions) {
            None => None,
            Some(Limit::AtMost(limit)) => Some(limit.into()),
            Some(Limit::As(other)) => of_row(rows, other),
            Some(Limit::TwiceAs(other)) => of_row(rows, other).map(|count| 2.0 * count),
        };
    }
}

fn of_row(rows: &[Row<'_>], name: &str) -> Option<f64> {
    let row = rows.iter().find(|row| row.case.name == name);
    row.and_then(|row| row.instructions)
}

impl Row<'_> {
    /// Returns whether the row meets its target.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Some(target) = self.case.target else {
            return Verdict::NoTarget;
        };
        let fits_in_memory = self.allocations < f64::from(target.allocations) + 0.005
            && (target.future).is_none_or(|limit| self.future_over_base() <= limit as f64);
        if !fits_in_memory {
            return match target.is_missed {
                true => Verdict::Held,
                false => Verdict::Missed,
            };
        }
        let (Some(instructions), Some(limit)) = (self.instructions, self.limit) else {
            return Verdict::NotCounted;
        };
        let instructions = (instructions - f64::from(self.case.noise)).round();
        if instructions <= limit.round() {
            Verdict::Met
        } else if target.is_missed {
            Verdict::Held
        } else {
            Verdict::Missed
        }
    }

    /// Returns the bytes that the future is larger than that of the base.
    pub(crate) fn future_over_base(&self) -> f64 {
        let of = |case: Option<&Case>| case.and_then(|case| case.future).unwrap_or(0) as f64;
        of(Some(self.case)) - of(self.base)
    }

    fn cells(&self) -> [String; 8] {
        let base = self.base.map_or("", |base| base.name);
        let is_over = self.base.is_some();
        let figure = |number: f64, digits: usize| match is_over {
            true => format!("{number:+.digits$}"),
            false => format!("{number:.digits$}"),
        };
        let ns = match self.times.over_base {
            Some(over) => format!("{:.1} ({over:+.1})", self.times.case),
            None => format!("{:.1}", self.times.case),
        };
        let future = match self.case.future {
            Some(bytes) if is_over => format!("{bytes} ({:+})", self.future_over_base()),
            Some(bytes) => bytes.to_string(),
            None => String::new(),
        };
        [
            self.case.name.to_owned(),
            base.to_owned(),
            ns,
            figure(self.allocations, 0),
            (self.instructions).map_or("-".to_owned(), |count| figure(count, 1)),
            future,
            self.target(),
            self.verdict().text().to_owned(),
        ]
    }

    /// Returns the target as text, or nothing.
    pub(crate) fn target(&self) -> String {
        let Some(target) = self.case.target else {
            return String::new();
        };
        let instructions = match target.instructions {
            Limit::AtMost(0) => "+0".to_owned(),
            Limit::AtMost(limit) => format!("≤ {limit}"),
            Limit::As(other) => format!("as {other}"),
            Limit::TwiceAs(other) => format!("≤ 2 × {other}"),
        };
        let allocations = match target.allocations {
            0 => None,
            1 => Some(", ≤ 1 alloc".to_owned()),
            most => Some(format!(", ≤ {most} allocs")),
        };
        let future = (target.future).map(|bytes| format!(", ≤ +{bytes} B"));
        [Some(instructions), allocations, future]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Returns the table as Markdown text.
#[must_use]
pub fn render(rows: &[Row<'_>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "case", "over", "ns", "allocs", "instr", "future", "target", "",
    ]);
    table.add_rows(rows.iter().map(Row::cells));
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
