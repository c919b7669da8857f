//! The units of the vertical axes.

/// What the recorded figures of a picture count.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Nanoseconds,
    Milliseconds,
    Megabytes,
}

impl Unit {
    /// Returns a figure with the unit in which it is shortest: `100 ns`, `10 ms`, `1 kB`.
    pub(super) fn text(self, figure: f64) -> String {
        let (figure, names) = match self {
            Self::Nanoseconds => (figure, ["ns", "µs", "ms", "s"]),
            Self::Milliseconds => (figure * 1e6, ["ns", "µs", "ms", "s"]),
            Self::Megabytes => (figure * 1e6, ["B", "kB", "MB", "GB"]),
        };
        let thousands = (figure.log10() / 3.0 + 1e-9).floor().clamp(0.0, 3.0);
        let short = figure / 1000_f64.powf(thousands);
        let name = names[thousands as usize];
        format!("{} {name}", (short * 10.0).round() / 10.0)
    }
}
