//! Measures how cost grows: with the rules of a site, with sites, with threads, with calls that a fault holds, and
//! under load.
//!
//! The figures are times and bytes of the machine on which they were measured. `cargo xtask growth` records them in
//! `benches/results/growth.json`, of which the pictures of the book are drawn.

mod held;
mod load;
mod memory;
mod rules;
mod sites;
mod threads;

use std::time::Duration;

use serde::Serialize;

use crate::results;

pub use self::threads::{Two, two_threads};

/// A point of a line of a picture.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The name of the picture.
    pub picture: &'static str,
    /// The name of the line.
    pub series: &'static str,
    /// How many there are of what grows.
    pub x: usize,
    /// The median.
    pub y: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The highest `x`.
    most: usize,
    /// The number of rounds of each point.
    rounds: usize,
}

impl Effort {
    /// What the pictures are drawn of.
    pub const WHOLE: Self = Self {
        most: 100_000,
        rounds: 15,
    };
    /// Just enough to show that it runs.
    pub const LEAST: Self = Self {
        most: 10,
        rounds: 1,
    };

    /// Returns the powers of ten from 1 to `most`, as far as they are measured.
    fn powers_of_ten(self, most: usize) -> impl Iterator<Item = usize> {
        let most = most.min(self.most);
        (0..=5).map(|n| 10_usize.pow(n)).filter(move |&x| x <= most)
    }
}

/// A part of the measurement: a picture, and what measures its points.
type Part = (&'static str, fn(Effort) -> Vec<Point>);

const PARTS: [Part; 8] = [
    ("rules by path and method", rules::by_path_and_method),
    ("rules by other conditions", rules::by_other_conditions),
    ("sites", sites::points),
    ("threads", threads::points),
    ("held calls, memory", held::memory),
    ("held calls, halt", held::halt),
    ("edits under load", load::points),
    ("memory of rules", memory::points),
];

/// Measures all points. `says` is told the name of each picture before it is measured.
#[must_use]
pub fn points(effort: Effort, mut says: impl FnMut(&str)) -> Vec<Point> {
    let measure = |(name, measure): &Part| {
        says(name);
        measure(effort)
    };
    PARTS.iter().flat_map(measure).collect()
}

/// Writes the points to the file of the repository that the pictures are drawn of.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn write(points: &[Point]) -> Result<(), String> {
    results::write_lines("growth.json", points)
}

/// Writes what calls take on one thread and on two to the file of the repository.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn write_two_threads(all: &[Two]) -> Result<(), String> {
    results::write_lines("peers-threads.json", all)
}

/// A line of a picture.
#[derive(Clone, Copy)]
struct Line {
    picture: &'static str,
    series: &'static str,
}

impl Line {
    /// Returns the point of these figures: their median and quartiles, to three digits.
    fn point(self, x: usize, mut figures: Vec<f64>) -> Point {
        figures.sort_unstable_by(f64::total_cmp);
        let at = |quarter: usize| three_digits(figures[(figures.len() - 1) * quarter / 4]);
        let Self { picture, series } = self;
        Point {
            picture,
            series,
            x,
            y: at(2),
            low: at(1),
            high: at(3),
        }
    }
}

fn three_digits(figure: f64) -> f64 {
    if figure == 0.0 {
        return 0.0;
    }
    let digits = (2 - figure.abs().log10().floor() as i32).clamp(-12, 12);
    let scale = 10_f64.powi(digits.abs());
    match digits < 0 {
        true => (figure / scale).round() * scale,
        false => (figure * scale).round() / scale,
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
