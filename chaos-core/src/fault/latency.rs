//! How long a delay lasts: the distributions it is drawn from.

use std::{fmt, time::Duration};

use rand_distr::{Normal, Pareto, StandardNormal};

use crate::{dice::Dice, error::RuleError};

/// A delay, or the distribution of one. Whatever is drawn lies between nothing and 24 hours.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::Latency;
///
/// let ms = Duration::from_millis;
/// // As slow as the real thing: what its dashboard says.
/// let payment = Latency::quantiles(&[(0.5, ms(20)), (0.99, ms(800))])?;
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Latency(Distribution);

/// Open: more shapes will come. What was written stands beside what is drawn from, so that it can be
/// written back as it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Distribution {
    Fixed(Duration),
    Uniform {
        min: Duration,
        max: Duration,
    },
    Quantiles {
        points: Box<[(f64, Duration)]>,
        curve: Curve,
    },
    Normal {
        mean: Duration,
        std_dev: Duration,
        curve: Normal<f64>,
    },
    Pareto {
        min: Duration,
        alpha: f64,
        curve: Pareto<f64>,
    },
}

impl Latency {
    /// A call that takes longer than this is not slow but gone; a `hang` says so.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// Always the same delay.
    ///
    /// # Errors
    /// If it is longer than 24 hours.
    pub fn fixed(delay: Duration) -> Result<Self, RuleError> {
        Self::checked(delay)?;
        Ok(Self(Distribution::Fixed(delay)))
    }

    /// Anything from `min` to `max`, equally likely, in steps of a nanosecond.
    ///
    /// # Errors
    /// If `min` is above `max`, or `max` above 24 hours.
    pub fn uniform(min: Duration, max: Duration) -> Result<Self, RuleError> {
        Self::checked(max)?;
        if min > max {
            let problem = format!("{min:?} is above {max:?}");
            return Err(refuse(problem, "a range from low to high"));
        }
        Ok(Self(Distribution::Uniform { min, max }))
    }

    /// A curve through measured quantiles: `(0.99, 800 ms)` says that 99 of 100 delays are at most
    /// that long.
    ///
    /// Two points make the log-normal distribution that has them. More points make a log-normal
    /// distribution between each two neighbours: the logarithm of the delay is a straight line over
    /// the standard normal quantile of the share. So each point is met exactly, whatever the others
    /// are. Below the first and above the last, the outermost lines go on.
    ///
    /// # Errors
    /// If there are fewer than 2 points or more than 16; if a share is not between 0 and 1, not
    /// above the one before, or within a millionth (of a standard deviation) of it; if a delay is
    /// zero, shorter than the one before, or longer than 24 hours.
    pub fn quantiles(points: &[(f64, Duration)]) -> Result<Self, RuleError> {
        let curve = Curve::through(points)?;
        let points = points.into();
        Ok(Self(Distribution::Quantiles { points, curve }))
    }

    /// The normal distribution. What would be less than nothing is nothing.
    ///
    /// # Errors
    /// If one of the two is longer than 24 hours.
    pub fn normal(mean: Duration, std_dev: Duration) -> Result<Self, RuleError> {
        Self::checked(mean)?;
        Self::checked(std_dev)?;
        let curve = Normal::new(mean.as_secs_f64(), std_dev.as_secs_f64())
            .map_err(|error| refuse(error, "a mean and a standard deviation, 0s to 24h each"))?;
        Ok(Self(Distribution::Normal {
            mean,
            std_dev,
            curve,
        }))
    }

    /// The Pareto distribution: never below `min`, and with a tail that is the longer the smaller
    /// `alpha` is. The share `(min / t)^alpha` of the delays is longer than `t`. Its mean is
    /// `min * alpha / (alpha - 1)`; from 1 downwards, only the cap of 24 hours bounds it.
    ///
    /// # Errors
    /// If `min` is zero or longer than 24 hours, or if `alpha` is not a positive, finite number.
    pub fn pareto(min: Duration, alpha: f64) -> Result<Self, RuleError> {
        Self::checked(min)?;
        if min.is_zero() {
            return Err(refuse("a min of 0s", "a min of more than 0s, up to 24h"));
        }
        // The distribution itself would take an infinite one.
        if !alpha.is_finite() {
            return Err(bad_alpha(alpha));
        }
        let curve = Pareto::new(min.as_secs_f64(), alpha).map_err(|_| bad_alpha(alpha))?;
        Ok(Self(Distribution::Pareto { min, alpha, curve }))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn distribution(&self) -> &Distribution {
        &self.0
    }

    /// The longest that it can be, where there is such.
    pub(crate) fn longest(&self) -> Option<Duration> {
        match &self.0 {
            Distribution::Fixed(time) => Some(*time),
            Distribution::Uniform { max, .. } => Some(*max),
            Distribution::Quantiles { .. }
            | Distribution::Normal { .. }
            | Distribution::Pareto { .. } => None,
        }
    }

    pub(crate) fn sample(&self, dice: &mut Dice) -> Duration {
        let seconds = match &self.0 {
            Distribution::Fixed(delay) => return *delay,
            Distribution::Uniform { min, max } => {
                // At most 24 hours: far inside 64 bits of nanoseconds.
                let nanos = |d: &Duration| d.as_nanos() as u64;
                return Duration::from_nanos(dice.between(nanos(min), nanos(max)));
            }
            Distribution::Quantiles { curve, .. } => curve.at(dice.sample(&StandardNormal)),
            Distribution::Normal { curve, .. } => dice.sample(curve),
            Distribution::Pareto { curve, .. } => dice.sample(curve),
        };
        // It may be infinite, but it is a number: all that went into it was finite.
        Duration::from_secs_f64(seconds.clamp(0.0, Self::LONGEST.as_secs_f64()))
    }

    fn checked(delay: Duration) -> Result<(), RuleError> {
        if delay > Self::LONGEST {
            return Err(refuse(format_args!("{delay:?} is too long"), "0s to 24h"));
        }
        Ok(())
    }
}

/// The logarithm of a delay in seconds, as lines over a standard normal number: drawing is then a
/// normal number, a glance at where the lines begin, and an exponential.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// Below its own point, too.
    first: Line,
    /// Each takes over from the one before at its point; the last has no end.
    rest: Box<[Line]>,
}

/// From one point on: where that is, the value there, and how it rises.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    z: f64,
    ln: f64,
    slope: f64,
}

impl Curve {
    const MOST: usize = 16;

    /// Points nearer than this, in standard deviations, would make a slope of the error of
    /// [`normal_quantile`].
    const NEAREST: f64 = 1e-6;

    fn through(points: &[(f64, Duration)]) -> Result<Self, RuleError> {
        let problem = match points.len() {
            0 | 1 => Some("too few quantiles"),
            2..=Self::MOST => None,
            _ => Some("too many quantiles"),
        };
        if let Some(problem) = problem {
            return Err(refuse(problem, "2 to 16 quantiles"));
        }
        for &(share, delay) in points {
            if !(share > 0.0 && share < 1.0) {
                let problem = format!("{share} is no quantile");
                return Err(refuse(problem, "quantiles above 0 and below 1"));
            }
            Latency::checked(delay)?;
            if delay.is_zero() {
                let problem = format!("0s at the quantile {share}");
                return Err(refuse(problem, "more than 0s, up to 24h"));
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

    /// The delay in seconds where the standard normal distribution has `z`.
    fn at(&self, z: f64) -> f64 {
        let line = self.rest.iter().rev().find(|line| line.z <= z);
        let line = line.unwrap_or(&self.first);
        (line.ln + line.slope * (z - line.z)).exp()
    }
}

impl Line {
    fn between(low: (f64, Duration), high: (f64, Duration)) -> Result<Self, RuleError> {
        let ((low, low_delay), (high, high_delay)) = (low, high);
        if low >= high {
            let problem = format!("the quantile {high} stands after {low}");
            return Err(refuse(problem, "quantiles from low to high, each once"));
        }
        if low_delay > high_delay {
            let problem = format!("{low_delay:?} at {low} is above {high_delay:?} at {high}");
            return Err(refuse(problem, "delays that do not fall as quantiles rise"));
        }
        let (z, high_z) = (normal_quantile(low), normal_quantile(high));
        if high_z - z < Curve::NEAREST {
            let problem = format!("the quantiles {low} and {high} are too close");
            return Err(refuse(problem, "quantiles that lie apart"));
        }
        let ln = low_delay.as_secs_f64().ln();
        let slope = (high_delay.as_secs_f64().ln() - ln) / (high_z - z);
        Ok(Self { z, ln, slope })
    }
}

/// Where the standard normal distribution has the share `p` below it, to about one part in ten
/// million: `PPND7` of M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988).
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

fn bad_alpha(alpha: f64) -> RuleError {
    let problem = format!("an alpha of {alpha}");
    refuse(problem, "an alpha above 0, such as 1.5")
}

fn refuse(problem: impl fmt::Display, allowed: &str) -> RuleError {
    RuleError::new("latency", problem, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against another implementation: Python's `statistics.NormalDist().inv_cdf`.
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

    /// The dice of a call without a seed, which no test can fix: 100,000 draws, far tolerances.
    #[test]
    fn draws_without_a_seed_keep_the_curve_too() {
        let ms = Duration::from_millis;
        let latency = Latency::quantiles(&[(0.5, ms(20)), (0.99, ms(800))]).unwrap();
        let drawn = (0..100_000).map(|_| latency.sample(&mut Dice::Thread));
        let drawn: Vec<_> = drawn.collect();
        let share = |limit| drawn.iter().filter(|d| **d <= limit).count() as f64 / 1e5;
        // Ten standard deviations of the binomial distribution.
        assert!((share(ms(20)) - 0.5).abs() < 0.016, "{}", share(ms(20)));
        assert!((share(ms(800)) - 0.99).abs() < 0.0032, "{}", share(ms(800)));
    }
}
