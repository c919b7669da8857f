//! How the rate of a rule, and the size of what it does, change over time. Pure: it reads no clock;
//! the time since the rule was armed is an argument.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::error::RuleError;

pub(crate) const PHASES_ALLOWED: &str =
    "a list of 1 to 100 phases with rate or scale, 365 days together at most";
pub(crate) const TIME_ALLOWED: &str = "a duration such as \"2m\", more than 0s and at most 365 days; \
                                       only the last phase may lack one, and then it is no ramp";
pub(crate) const RATE_ALLOWED: &str = "a number from 0 to 1, or a ramp such as \"0.01..0.2\"";
pub(crate) const SCALE_ALLOWED: &str = "a number from 0 to 100, or a ramp such as \"0..1\"";

/// Phases in order, from the moment the rule is armed, over and over until its deadline. Where the
/// last phase has no time of its own, it lasts, and nothing comes again.
///
/// Flapping is two phases that do not change:
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Phase, Program, Ramp};
///
/// let down = Phase::new(Ramp::constant(1.0)).lasting(Duration::from_secs(10));
/// let up = Phase::new(Ramp::constant(0.0)).lasting(Duration::from_secs(50));
/// let flapping = Program::new([down, up])?;
/// assert_eq!(flapping.length(), Some(Duration::from_secs(60)));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub(crate) phases: Box<[Phase]>,
    /// Of the phases that have one; at most 365 days, so it fits into 64 bits of nanoseconds.
    time: Duration,
}

/// A part of a [`Program`]: a rate and a scale, for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    pub(crate) time: Option<Duration>,
    pub(crate) rate: Ramp,
    pub(crate) scale: Ramp,
}

/// A number that stays, or goes from one to another in a straight line over a [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// What a program says at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// The share of calls to hit, from 0 to 1.
    pub(crate) rate: f64,
    /// The factor on delays and sizes, from 0 to 100.
    pub(crate) scale: f64,
}

impl Program {
    const MOST: usize = 100;
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// These phases, one after the other.
    ///
    /// # Errors
    /// If there are none or more than 100; if a rate is not within 0 and 1, or a scale within 0 and
    /// 100; if a time is zero, or the times together are longer than 365 days; if a phase without
    /// a time is not the last, or is a ramp.
    pub fn new(phases: impl IntoIterator<Item = Phase>) -> Result<Self, RuleError> {
        // One more than allowed is enough to see that they are too many.
        let phases: Box<[Phase]> = phases.into_iter().take(Self::MOST + 1).collect();
        let refuse = |problem| Err(RuleError::new("program", problem, PHASES_ALLOWED));
        if phases.is_empty() {
            return refuse("no phase");
        }
        if phases.len() > Self::MOST {
            return refuse("too many phases");
        }
        let mut time = Duration::ZERO;
        for (at, phase) in phases.iter().enumerate() {
            let is_last = at + 1 == phases.len();
            let here = |error: RuleError| error.under(&format!("program[{at}]"));
            phase.check(is_last).map_err(here)?;
            time += phase.time.unwrap_or_default();
        }
        if time > Self::LONGEST {
            return refuse("too long");
        }
        Ok(Self { phases, time })
    }

    /// The time after which it begins again; `None` if its last phase lasts.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        (!self.lasts()).then_some(self.time)
    }

    /// Whether a rule that lives for `ttl` ends before each phase has been there.
    pub(crate) fn outlasts(&self, ttl: Duration) -> bool {
        // What lasts would have no time left if those before it took it all.
        self.time > ttl || self.lasts() && self.time == ttl
    }

    /// What it says, so long after the rule was armed. A phase begins at the very moment at which the
    /// one before it ends.
    pub(crate) fn at(&self, since_armed: Duration) -> Moment {
        let since_armed = nanos(since_armed);
        let mut since = match self.length() {
            Some(length) => since_armed % nanos(length),
            None => since_armed,
        };
        for phase in &self.phases {
            match phase.time.map(nanos) {
                Some(time) if since >= time => since -= time,
                Some(time) => return phase.at(since as f64 / time as f64),
                None => return phase.at(0.0),
            }
        }
        unreachable!("less than the length of all phases is within one of them")
    }

    /// The most that it says of the rate.
    pub(crate) fn greatest_rate(&self) -> f64 {
        let rates = self.phases.iter().map(|phase| phase.rate);
        rates.map(|rate| rate.from.max(rate.to)).fold(0.0, f64::max)
    }

    fn lasts(&self) -> bool {
        self.phases.last().is_some_and(|phase| phase.time.is_none())
    }
}

impl Phase {
    /// With this rate, from 0 to 1, and a scale of 1. It lasts, unless it is given a time.
    #[must_use]
    pub const fn new(rate: Ramp) -> Self {
        Self {
            time: None,
            rate,
            scale: Ramp::constant(1.0),
        }
    }

    /// For so long: more than nothing, at most 365 days.
    #[must_use]
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// With this factor, from 0 to 100, on the delays and the sizes of the rule's faults.
    #[must_use]
    pub const fn scale(mut self, scale: Ramp) -> Self {
        self.scale = scale;
        self
    }

    fn check(&self, is_last: bool) -> Result<(), RuleError> {
        self.rate.check("rate", 0.0..=1.0, RATE_ALLOWED)?;
        self.scale.check("scale", 0.0..=100.0, SCALE_ALLOWED)?;
        let refuse =
            |problem: fmt::Arguments<'_>| Err(RuleError::new("for", problem, TIME_ALLOWED));
        match self.time {
            Some(time) if time.is_zero() || time > Program::LONGEST => {
                refuse(format_args!("{time:?} is no time for a phase"))
            }
            None if !is_last => refuse(format_args!("missing, before another phase")),
            None if self.rate.changes() => refuse(format_args!("missing, beside a ramp of rate")),
            None if self.scale.changes() => refuse(format_args!("missing, beside a ramp of scale")),
            Some(_) | None => Ok(()),
        }
    }

    /// When this share of its time is over.
    fn at(&self, share: f64) -> Moment {
        Moment {
            rate: self.rate.at(share),
            scale: self.scale.at(share),
        }
    }
}

impl Ramp {
    /// Stays.
    #[must_use]
    pub const fn constant(value: f64) -> Self {
        Self {
            from: value,
            to: value,
        }
    }

    /// Goes from one to the other, up or down.
    #[must_use]
    pub const fn between(from: f64, to: f64) -> Self {
        Self { from, to }
    }

    pub(crate) fn changes(self) -> bool {
        self.from != self.to
    }

    fn check(
        self,
        field: &str,
        allowed: RangeInclusive<f64>,
        text: &'static str,
    ) -> Result<(), RuleError> {
        // What is not a number is not within, either.
        match [self.from, self.to].iter().find(|n| !allowed.contains(n)) {
            None => Ok(()),
            Some(number) => {
                let problem = format!("{number} is out of bounds");
                Err(RuleError::new(field, problem, text))
            }
        }
    }

    fn at(self, share: f64) -> f64 {
        let low = self.from.min(self.to);
        // A rounding error must not leave the bounds.
        (self.from + (self.to - self.from) * share).clamp(low, self.from.max(self.to))
    }
}

/// Up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn constant(rate: f64) -> Phase {
        Phase::new(Ramp::constant(rate))
    }

    fn rates(program: &Program, at: &[u64]) -> Vec<f64> {
        let rate = |at: &u64| program.at(seconds(*at)).rate;
        at.iter().map(rate).collect()
    }

    #[test]
    fn phases_follow_each_other_over_and_over() {
        let down = constant(1.0).lasting(seconds(10));
        let flapping = Program::new([down, constant(0.0).lasting(seconds(5))]).unwrap();
        assert_eq!(flapping.length(), Some(seconds(15)));
        let at = [0, 9, 10, 14, 15, 24, 25, 15_000_000, 15_000_010];
        let expected = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(rates(&flapping, &at), expected);
        // Ends to the nanosecond.
        let just_before = flapping.at(seconds(10) - Duration::from_nanos(1));
        assert_eq!(just_before.rate, 1.0);
    }

    #[test]
    fn the_last_phase_lasts_if_nobody_says_for_how_long() {
        let first = constant(0.25).lasting(seconds(10));
        let program = Program::new([first, constant(0.5)]).unwrap();
        assert_eq!(program.length(), None);
        assert_eq!(
            rates(&program, &[0, 9, 10, 1_000_000]),
            [0.25, 0.25, 0.5, 0.5]
        );
        assert_eq!(program.at(Duration::MAX).rate, 0.5);
        assert_eq!(Program::new([constant(0.5)]).unwrap().length(), None);
    }

    #[test]
    fn ramps_are_straight_lines_up_and_down() {
        let phase = Phase::new(Ramp::between(0.0, 0.5)).lasting(seconds(10));
        let program = Program::new([phase.scale(Ramp::between(100.0, 0.0))]).unwrap();
        let moment = |at| program.at(seconds(at));
        assert_eq!((moment(0).rate, moment(0).scale), (0.0, 100.0));
        assert_eq!((moment(5).rate, moment(5).scale), (0.25, 50.0));
        assert_eq!((moment(8).rate, moment(18).scale), (0.4, 20.0));
        assert_eq!(moment(10), moment(0));
        let latest = program.at(Duration::from_nanos(9_999_999_999));
        assert!(latest.rate < 0.5 && latest.rate > 0.499_999, "{latest:?}");
    }

    #[test]
    fn no_moment_is_out_of_bounds() {
        let ramps = [
            (0.1, 0.3),
            (0.3, 0.1),
            (1.0, 1e-300),
            (0.0, 1.0),
            (0.7, 0.7),
        ];
        let phases = ramps.map(|(from, to)| {
            let phase = Phase::new(Ramp::between(from, to)).lasting(Duration::from_nanos(7));
            phase.scale(Ramp::between(100.0 * to, 100.0 * from))
        });
        let program = Program::new(phases).unwrap();
        for at in (0..70).chain(u64::MAX - 70..=u64::MAX) {
            let Moment { rate, scale } = program.at(Duration::from_nanos(at));
            assert!((0.0..=1.0).contains(&rate) && (0.0..=100.0).contains(&scale));
        }
        let _ = program.at(Duration::MAX);
    }

    #[test]
    fn a_program_knows_whether_it_fits_into_a_life() {
        let phase = constant(1.0).lasting(seconds(10));
        let again = Program::new([phase]).unwrap();
        assert!(!again.outlasts(seconds(10)));
        assert!(again.outlasts(seconds(9)));
        let lasts = Program::new([phase, constant(0.0)]).unwrap();
        assert!(!lasts.outlasts(seconds(11)));
        assert!(lasts.outlasts(seconds(10)));
    }

    #[test]
    fn what_is_no_program_is_refused_by_field() {
        let year = seconds(365 * 24 * 60 * 60);
        let good = constant(0.5).lasting(seconds(1));
        let ramp = |from, to| Phase::new(Ramp::between(from, to));
        let scale = |scale| good.scale(scale);
        let cases = [
            (vec![], "program", PHASES_ALLOWED),
            (vec![good; 101], "program", PHASES_ALLOWED),
            (vec![good.lasting(year); 2], "program", PHASES_ALLOWED),
            (vec![good, constant(1.5)], "program[1].rate", RATE_ALLOWED),
            (vec![constant(-0.1)], "program[0].rate", RATE_ALLOWED),
            (vec![constant(f64::NAN)], "program[0].rate", RATE_ALLOWED),
            (
                vec![ramp(0.0, f64::INFINITY)],
                "program[0].rate",
                RATE_ALLOWED,
            ),
            (
                vec![scale(Ramp::constant(-1.0))],
                "program[0].scale",
                SCALE_ALLOWED,
            ),
            (
                vec![scale(Ramp::between(1.0, 100.5))],
                "program[0].scale",
                SCALE_ALLOWED,
            ),
            (
                vec![good, good, good.lasting(Duration::ZERO)],
                "program[2].for",
                TIME_ALLOWED,
            ),
            (
                vec![good.lasting(year + Duration::from_nanos(1))],
                "program[0].for",
                TIME_ALLOWED,
            ),
            (
                vec![good.lasting(Duration::MAX)],
                "program[0].for",
                TIME_ALLOWED,
            ),
            (vec![constant(1.0), good], "program[0].for", TIME_ALLOWED),
            (vec![ramp(0.0, 1.0)], "program[0].for", TIME_ALLOWED),
            (
                vec![constant(1.0).scale(Ramp::between(0.0, 1.0))],
                "program[0].for",
                TIME_ALLOWED,
            ),
        ];
        for (phases, field, allowed) in cases {
            let error = Program::new(phases.clone()).expect_err(&format!("{phases:?}"));
            assert_eq!((error.field(), error.allowed()), (field, allowed));
        }
        assert!(Program::new(vec![good; 100]).is_ok());
        assert!(Program::new([good.lasting(year)]).is_ok());
        // Endless, but nothing more than needed is looked at.
        assert!(Program::new(std::iter::repeat(good)).is_err());
    }
}
