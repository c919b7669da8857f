//! What a fault does on one call: a plan that an integration executes, or an action that core
//! executes itself.

use std::time::Duration;

use crate::{
    call::{Call, site_kind::SiteKind},
    fault::{burn::Burn, custom::CustomFault},
    plan::{Plan, WaitAfter, bytes::scaled_size, cut::CutKind},
};

/// The next action on a call. The integration executes a plan; everything else is done by
/// [`Decision`](crate::Decision) itself, in the same way at every kind of site.
#[derive(Debug)]
pub(crate) enum Step {
    Plan(Plan),
    Burn(Box<Burn>),
    Custom(Box<CustomFault>),
    Panic,
    Exit,
}

impl Step {
    /// Returns whether this step ends a call at a site of this kind.
    pub(crate) fn ends_call_at(&self, kind: SiteKind) -> bool {
        match self {
            // Code has no bytes to count, so a cut happens there at once.
            Self::Plan(Plan::Cut(cut)) => kind.is_code() || cut.ends_call(),
            Self::Plan(plan) => plan.ends_call(),
            Self::Panic | Self::Exit => true,
            Self::Burn(_) | Self::Custom(_) => false,
        }
    }

    /// Returns whether there is anything that this step could do to a call, as far as its request tells.
    pub(crate) fn can_act_on(&self, call: &Call<'_>) -> bool {
        match self {
            Self::Plan(Plan::Cut(cut)) if cut.ends_call() => {
                call.cuts().has(cut.kind() == CutKind::Reset)
            }
            Self::Plan(Plan::Answer(answer)) => {
                answer.after_messages().is_none() || !call.is_grpc_web()
            }
            _ => true,
        }
    }

    /// Returns whether this step still happens, at a site of this kind, on a call that another step has
    /// ended: only a layer has a response. Elsewhere, the result is delayed.
    pub(crate) fn acts_on_response_at(&self, kind: SiteKind) -> bool {
        match self {
            Self::Plan(Plan::WaitAfter(_)) => true,
            Self::Plan(plan) => kind == SiteKind::Layer && plan.acts_on_response(),
            Self::Burn(_) | Self::Custom(_) | Self::Panic | Self::Exit => false,
        }
    }

    /// Returns the delay that was drawn. For a hang or a pause it is zero, since how long they last
    /// is not known yet.
    pub(crate) fn delay(&self) -> Duration {
        match self {
            Self::Plan(Plan::Wait(wait)) => wait.delay(),
            Self::Plan(Plan::WaitAfter(WaitAfter::For(time))) => *time,
            _ => Duration::ZERO,
        }
    }

    /// Cuts a wait to `left`, what other waits have left of the delay of a call. Returns `None` if that
    /// leaves nothing of it.
    pub(crate) fn waiting_at_most(self, left: Duration) -> Option<Self> {
        match self {
            Self::Plan(plan @ (Plan::Wait(_) | Plan::WaitAfter(_))) => {
                let is_spent = left.is_zero() && !plan.planned_delay().is_zero();
                (!is_spent).then(|| Self::Plan(plan.no_longer(left)))
            }
            step => Some(step),
        }
    }

    /// Returns the delay that a budget counts.
    pub(crate) fn planned_delay(&self) -> Duration {
        match self {
            Self::Plan(plan) => plan.planned_delay(),
            Self::Burn(_) | Self::Custom(_) | Self::Panic | Self::Exit => Duration::ZERO,
        }
    }

    /// Multiplies delays and sizes by `factor`: waits up to 24 hours, sizes up to 2^64 - 1. What
    /// has neither stays, and so do rates, probabilities, responses, a pause, and the time of a
    /// burn. A factor of 1 changes nothing.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        // Sizes above 2^53 would be rounded by the conversion to a float and back.
        if factor == 1.0 {
            return self;
        }
        match self {
            Self::Plan(plan) => Self::Plan(plan.scaled(factor)),
            Self::Burn(mut burn) => {
                burn.memory = scaled_size(burn.memory, factor);
                Self::Burn(burn)
            }
            step @ (Self::Custom(_) | Self::Panic | Self::Exit) => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::{
        call::direction::Direction,
        dice::Dice,
        plan::{
            Wait, WaitKind,
            answer::{Answer, HttpAnswer, PreparedAnswer},
            bytes::{BytesFault, BytesPlan, LONGEST},
            cut::{AfterBytes, Cut},
            headers::HeaderEdit,
            injected::Injected,
        },
    };

    const MS: Duration = Duration::from_millis(1);

    fn wait(time: Duration, kind: WaitKind) -> Step {
        Step::Plan(Plan::Wait(Wait { time, kind }))
    }

    fn after(wait: WaitAfter) -> Step {
        Step::Plan(Plan::WaitAfter(wait))
    }

    fn bytes(action: BytesPlan) -> Step {
        Step::Plan(Plan::Bytes(action, Direction::Response))
    }

    fn cut(bytes: Option<u64>) -> Step {
        let direction = Direction::Response;
        let after = bytes.map(|count| AfterBytes { count, direction });
        let (rule, site, kind) = ("r".parse().unwrap(), "s", CutKind::Close);
        Step::Plan(Plan::Cut(Cut::new(rule, site, kind, after)))
    }

    fn burn(memory: u64) -> Step {
        Step::Burn(Box::new(Burn {
            cpu: 0.5,
            memory,
            time: 7 * MS,
        }))
    }

    /// Each step that has a magnitude, with the times and the sizes that are scaled.
    fn with_magnitude(time: Duration, size: u64) -> Vec<Step> {
        vec![
            wait(time, WaitKind::Delay),
            wait(time, WaitKind::Hang),
            wait(time, WaitKind::Block),
            after(WaitAfter::For(time)),
            after(WaitAfter::AtLeast(time)),
            bytes(BytesPlan::TruncateAfter(size)),
            bytes(BytesPlan::StallAfter(size, time)),
            bytes(BytesPlan::FirstByte(time)),
            bytes(BytesPlan::EachChunk(time)),
            cut(Some(size)),
            burn(size),
        ]
    }

    fn without_magnitude() -> Vec<Step> {
        let rule: crate::name::RuleId = "r".parse().unwrap();
        let dice = &mut Dice::seeded(7, 0);
        let rate = NonZeroU64::new(1000).unwrap();
        let answer = HttpAnswer::new(503).unwrap().into();
        let answer = Answer::new(PreparedAnswer::http(&rule, &answer).into(), "s");
        let kind = std::io::ErrorKind::Other;
        vec![
            wait(100 * MS, WaitKind::Pause),
            bytes(BytesFault::throttle(rate).plan(dice)),
            bytes(BytesFault::corrupt(0.5).unwrap().plan(dice)),
            Step::Plan(Plan::Headers(HeaderEdit::new(), Direction::Request)),
            Step::Plan(Plan::Answer(answer)),
            Step::Plan(Plan::Fail(Injected::new(rule, "s", kind, "m".into()))),
            cut(None),
            Step::Custom(CustomFault::new("c", "{}").into()),
            Step::Panic,
            Step::Exit,
        ]
    }

    fn assert_scaled(from: Vec<Step>, factor: f64, to: Vec<Step>) {
        let scaled = from.into_iter().map(|step| step.scaled(factor));
        for (scaled, expected) in scaled.zip(to) {
            assert_eq!(format!("{scaled:?}"), format!("{expected:?}"), "× {factor}");
        }
    }

    #[test]
    fn a_factor_is_on_every_time_and_every_size() {
        let cases = [(0.0, 0, 0), (0.001, 0, 1), (0.5, 100, 500)];
        let more = [(1.5, 300, 1500), (3.0, 600, 3000), (100.0, 20_000, 100_000)];
        for (factor, ms, size) in cases.into_iter().chain(more) {
            let time = if factor == 0.001 { MS / 5 } else { ms * MS };
            let from = with_magnitude(200 * MS, 1000);
            assert_scaled(from, factor, with_magnitude(time, size));
        }
    }

    #[test]
    fn what_has_no_magnitude_stays() {
        for factor in [0.0, 0.3, 1.0, 100.0] {
            assert_scaled(without_magnitude(), factor, without_magnitude());
        }
    }

    #[test]
    fn the_factor_1_changes_nothing() {
        let odd = Duration::new(12_345, 678_901_234);
        for size in [0, 1, (1 << 53) + 1, u64::MAX] {
            assert_scaled(with_magnitude(odd, size), 1.0, with_magnitude(odd, size));
        }
    }

    #[test]
    fn nothing_goes_beyond_its_bounds() {
        for factor in [2.0, 100.0, f64::MAX, f64::INFINITY] {
            let to = with_magnitude(LONGEST, u64::MAX);
            assert_scaled(with_magnitude(LONGEST, u64::MAX), factor, to);
        }
        // No program has such a factor; it must not panic all the same.
        for factor in [-1.0, f64::NEG_INFINITY, f64::NAN] {
            let to = with_magnitude(Duration::ZERO, 0);
            assert_scaled(with_magnitude(LONGEST, u64::MAX), factor, to);
        }
    }
}
