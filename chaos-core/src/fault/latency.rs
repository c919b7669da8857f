//! The delay of a `latency` fault, and the distributions it is drawn from.

mod curve;

use std::{fmt, time::Duration};

use rand_distr::{Normal, Pareto, StandardNormal};

use self::curve::Curve;
use crate::{
    dice::Dice,
    error::RuleError,
    plan::bytes::{LONGEST, not_too_long},
};

const FIELD: &str = "latency";

/// A delay, or the distribution of one. Every drawn delay is between 0 and 24 hours.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::Latency;
///
/// let ms = Duration::from_millis;
/// // A delay with the quantiles of the real service, as its dashboard shows them.
/// let payment = Latency::quantiles(&[(0.5, ms(20)), (0.99, ms(800))])?;
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Latency(Distribution);

/// A delay, or a distribution of delays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Distribution {
    Fixed(Duration),
    Uniform {
        min: Duration,
        max: Duration,
    },
    /// Boxed, because few delays have a curve, and it is larger than all else.
    Curved(Box<CurvedDistribution>),
}

/// A distribution without an upper end of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CurvedDistribution {
    pub(crate) curve: DelayCurve,
    /// What a longer draw becomes.
    pub(crate) max: Option<Duration>,
}

/// The kinds of curve. Each keeps the parameters as they were written beside what is drawn from, so that a
/// rule is written back with the same numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DelayCurve {
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
    /// Creates a delay that is always the same.
    ///
    /// # Errors
    /// Returns an error if `delay` is longer than 24 hours.
    pub fn fixed(delay: Duration) -> Result<Self, RuleError> {
        let delay = not_too_long(FIELD, delay)?;
        Ok(Self(Distribution::Fixed(delay)))
    }

    /// Creates a uniform distribution from `min` to `max`, both included, in steps of a nanosecond.
    ///
    /// # Errors
    /// Returns an error if `min` is above `max`, or `max` above 24 hours.
    pub fn uniform(min: Duration, max: Duration) -> Result<Self, RuleError> {
        let max = not_too_long(FIELD, max)?;
        if min > max {
            let problem = format!("{min:?} is above {max:?}");
            return Err(refuse(problem, "a range from low to high"));
        }
        Ok(Self(Distribution::Uniform { min, max }))
    }

    /// Creates a curve through measured quantiles: `(0.99, 800 ms)` means that 99 of 100 delays
    /// take at most 800 ms.
    ///
    /// Two points define the log-normal distribution through them. Of more points, each two
    /// neighbours define a log-normal distribution between them: the logarithm of the delay is a
    /// straight line over the standard normal quantile. So every point is met exactly. Below the
    /// first point and above the last, the outermost lines continue.
    ///
    /// # Errors
    /// Returns an error if there are fewer than 2 points or more than 16; if a quantile is not
    /// between 0 and 1, not above the one before, or within a millionth of a standard deviation of
    /// it; or if a delay is zero, shorter than the one before, or longer than 24 hours.
    pub fn quantiles(points: &[(f64, Duration)]) -> Result<Self, RuleError> {
        let curve = Curve::through(points)?;
        let points = points.into();
        Ok(Self::drawn_from(DelayCurve::Quantiles { points, curve }))
    }

    /// Creates a normal distribution. Draws below zero become zero.
    ///
    /// # Errors
    /// Returns an error if `mean` or `std_dev` is longer than 24 hours.
    pub fn normal(mean: Duration, std_dev: Duration) -> Result<Self, RuleError> {
        let mean = not_too_long(FIELD, mean)?;
        let std_dev = not_too_long(FIELD, std_dev)?;
        let curve = Normal::new(mean.as_secs_f64(), std_dev.as_secs_f64())
            .map_err(|error| refuse(error, "a mean and a standard deviation, 0s to 24h each"))?;
        Ok(Self::drawn_from(DelayCurve::Normal {
            mean,
            std_dev,
            curve,
        }))
    }

    /// Creates a Pareto distribution: no delay is below `min`, and the smaller `alpha` is, the
    /// longer is the tail.
    ///
    /// The fraction `(min / t)^alpha` of the delays is longer than `t`. The mean is
    /// `min * alpha / (alpha - 1)` if `alpha` is above 1; otherwise only the cap of 24 hours bounds
    /// it.
    ///
    /// # Errors
    /// Returns an error if `min` is zero or longer than 24 hours, or if `alpha` is not a positive,
    /// finite number.
    pub fn pareto(min: Duration, alpha: f64) -> Result<Self, RuleError> {
        let min = not_too_long(FIELD, min)?;
        if min.is_zero() {
            return Err(refuse("a min of 0s", "a min of more than 0s, up to 24h"));
        }
        // The distribution itself would accept an infinite number.
        if !alpha.is_finite() {
            return Err(bad_alpha(alpha));
        }
        let curve = Pareto::new(min.as_secs_f64(), alpha).map_err(|_| bad_alpha(alpha))?;
        Ok(Self::drawn_from(DelayCurve::Pareto { min, alpha, curve }))
    }

    /// Sets the longest delay of a curve, which has no upper end of its own: every draw above `max` becomes
    /// `max`. The quantiles up to `max` stay as they are.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chaos_core::Latency;
    ///
    /// let ms = Duration::from_millis;
    /// // A long tail, which ends before the caller's timeout.
    /// let slow = Latency::pareto(ms(10), 1.5)?.at_most(ms(900))?;
    /// # drop(slow);
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if `max` is zero or longer than 24 hours; if it is below the last quantile, the mean or
    /// the shortest delay that the curve names; or if the delay is [fixed](Self::fixed) or
    /// [uniform](Self::uniform), and so has an upper end of its own.
    pub fn at_most(mut self, max: Duration) -> Result<Self, RuleError> {
        let max = not_too_long(FIELD, max)?;
        let Distribution::Curved(curved) = &mut self.0 else {
            let problem = "max beside a delay that has an upper end";
            return Err(refuse(problem, "max beside quantiles, a mean or pareto"));
        };
        let named = match &curved.curve {
            DelayCurve::Quantiles { points, .. } => points.last().map(|(_, delay)| *delay),
            DelayCurve::Normal { mean, .. } => Some(*mean),
            DelayCurve::Pareto { min, .. } => Some(*min),
        };
        let named = named.unwrap_or_default();
        if max.is_zero() || max < named {
            let allowed =
                "a max of more than 0s, and of no less than the last quantile, the mean or the min";
            return Err(refuse(format!("a max of {max:?} over {named:?}"), allowed));
        }
        curved.max = Some(max);
        Ok(self)
    }

    fn drawn_from(curve: DelayCurve) -> Self {
        let curved = CurvedDistribution { curve, max: None };
        Self(Distribution::Curved(Box::new(curved)))
    }

    /// Returns the distribution with the parameters it was created from.
    #[cfg(feature = "serde")]
    pub(crate) fn distribution(&self) -> &Distribution {
        &self.0
    }

    /// Returns the longest delay that it can draw, if it is bounded by its parameters.
    pub(crate) fn longest(&self) -> Option<Duration> {
        match &self.0 {
            Distribution::Fixed(time) => Some(*time),
            Distribution::Uniform { max, .. } => Some(*max),
            Distribution::Curved(curved) => curved.max,
        }
    }

    /// Draws a delay.
    pub(crate) fn sample(&self, dice: &mut Dice) -> Duration {
        match &self.0 {
            Distribution::Fixed(delay) => *delay,
            Distribution::Uniform { min, max } => {
                // At most 24 hours, which fit into 64 bits of nanoseconds.
                let nanos = |d: &Duration| d.as_nanos() as u64;
                Duration::from_nanos(dice.between(nanos(min), nanos(max)))
            }
            Distribution::Curved(curved) => curved.sample(dice),
        }
    }
}

impl CurvedDistribution {
    fn sample(&self, dice: &mut Dice) -> Duration {
        let seconds = match &self.curve {
            DelayCurve::Quantiles { curve, .. } => curve.at(dice.sample(&StandardNormal)),
            DelayCurve::Normal { curve, .. } => dice.sample(curve),
            DelayCurve::Pareto { curve, .. } => dice.sample(curve),
        };
        // The number may be infinite, but not NaN: all that went into it was finite.
        let longest = self.max.unwrap_or(LONGEST);
        Duration::from_secs_f64(seconds.clamp(0.0, longest.as_secs_f64()))
    }
}

fn bad_alpha(alpha: f64) -> RuleError {
    let problem = format!("an alpha of {alpha}");
    refuse(problem, "an alpha above 0, such as 1.5")
}

fn refuse(problem: impl fmt::Display, allowed: &str) -> RuleError {
    RuleError::new(FIELD, problem, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call without a seed draws from dice that no test can fix: 100,000 draws, wide tolerances.
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
