//! The curve through measured quantiles, from which a delay is drawn.

use std::time::Duration;

use crate::{error::RuleError, plan::bytes::not_too_long};

const FIELD: &str = "latency";

/// The logarithm of a delay in seconds as a piecewise linear function of a standard normal number.
/// A draw is then a normal number, a search for its line, and an exponential.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// The first line, which also applies below its own point.
    first: Line,
    /// The other lines. Each applies from its point to the next one's; the last one has no end.
    rest: Box<[Line]>,
}

/// A line from one point on: the point, the value there, and the slope.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    z: f64,
    ln: f64,
    slope: f64,
}

impl Curve {
    const MOST: usize = 16;

    /// The least distance of two points in standard deviations. Nearer ones would get their slope
    /// from the error of [`normal_quantile`].
    const NEAREST: f64 = 1e-6;

    /// Creates the curve through these points.
    pub(super) fn through(points: &[(f64, Duration)]) -> Result<Self, RuleError> {
        let problem = match points.len() {
            0 | 1 => Some("too few quantiles"),
            2..=Self::MOST => None,
            _ => Some("too many quantiles"),
        };
        if let Some(problem) = problem {
            return Err(RuleError::new(FIELD, problem, "2 to 16 quantiles"));
        }
        for &(share, delay) in points {
            if !(share > 0.0 && share < 1.0) {
                let problem = format!("{share} is not a quantile");
                return Err(RuleError::new(
                    FIELD,
                    problem,
                    "quantiles above 0 and below 1",
                ));
            }
            if not_too_long(FIELD, delay)?.is_zero() {
                let problem = format!("0s at the quantile {share}");
                return Err(RuleError::new(FIELD, problem, "more than 0s, up to 24h"));
            }
        }
        let lines = points
            .windows(2)
            .map(|pair| Line::between(pair[0], pair[1]));
        let mut lines = lines.collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = lines.next().expect("two points or more make a line");
        let rest = lines.collect();
        Ok(Self { first, rest })
    }

    /// Returns the delay in seconds at the standard normal number `z`.
    #[inline]
    pub(super) fn at(&self, z: f64) -> f64 {
        let line = self.rest.iter().rev().find(|line| line.z <= z);
        let line = line.unwrap_or(&self.first);
        (line.ln + line.slope * (z - line.z)).exp()
    }
}

impl Line {
    fn between(low: (f64, Duration), high: (f64, Duration)) -> Result<Self, RuleError> {
        let ((low, low_delay), (high, high_delay)) = (low, high);
        if low >= high {
            let problem = format!("the quantile {high} comes after {low}");
            return Err(RuleError::new(
                FIELD,
                problem,
                "quantiles from low to high, each once",
            ));
        }
        if low_delay > high_delay {
            let problem = format!("{low_delay:?} at {low} is above {high_delay:?} at {high}");
            return Err(RuleError::new(
                FIELD,
                problem,
                "delays that do not fall as quantiles rise",
            ));
        }
        let (z, high_z) = (normal_quantile(low), normal_quantile(high));
        if high_z - z < Curve::NEAREST {
            let problem = format!("the quantiles {low} and {high} are too close");
            return Err(RuleError::new(FIELD, problem, "quantiles that lie apart"));
        }
        let ln = low_delay.as_secs_f64().ln();
        let slope = (high_delay.as_secs_f64().ln() - ln) / (high_z - z);
        Ok(Self { z, ln, slope })
    }
}

/// Returns the number below which the standard normal distribution has the fraction `p`, to about
/// one part in ten million: `PPND7` of M. J. Wichura, Algorithm AS 241, Applied Statistics 37
/// (1988).
fn normal_quantile(p: f64) -> f64 {
    let polynomial = |x: f64, factors: &[f64]| factors.iter().rev().fold(0.0, |sum, f| sum * x + f);
    let ratio = |x, over: &[f64], under: &[f64]| polynomial(x, over) / polynomial(x, under);
    let from_middle = p - 0.5;
    if from_middle.abs() <= 0.425 {
        let over = [3.3871327179, 50.434271938, 159.29113202, 59.109374720];
        let under = [1.0, 17.895169469, 78.757757664, 67.187563600];
        return from_middle * ratio(0.180625 - from_middle * from_middle, &over, &under);
    }
    let tail = (-p.min(1.0 - p).ln()).sqrt();
    let z = if tail <= 5.0 {
        let over = [1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103];
        let under = [1.0, 0.73700164250, 0.12021132975];
        ratio(tail - 1.6, &over, &under)
    } else {
        let over = [6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997];
        let under = [1.0, 0.24197894225, 0.012258202635];
        ratio(tail - 5.0, &over, &under)
    };
    z.copysign(from_middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of Python's `statistics.NormalDist().inv_cdf`.
    #[test]
    fn normal_quantiles_are_those_of_the_textbook() {
        for (p, z) in [
            (1e-300, -37.0470962993612),
            (1e-12, -7.034483825301132),
            (0.001, -3.090232306167813),
            (0.0749, -1.4402382675279632),
            (0.0751, -1.4388253927525398),
            (0.5, 0.0),
            (0.9, 1.2815515655446008),
            (0.9251, 1.4402382675279632),
            (0.99, 2.3263478740408408),
            (0.999, 3.090232306167813),
            (0.9999999, 5.199337582290662),
        ] {
            let error = (normal_quantile(p) - z).abs();
            assert!(error <= 2e-7 * z.abs(), "{p}: {error:e} from {z}");
        }
    }
}
