//! When to judge guard rails while a call is held: there may be no other call that does.

use std::{pin::Pin, task::Context, time::Duration};

/// When to judge while a call is pending: when it is late, once more soon after (the first time may be too
/// soon after that of another call to count), and then after longer and longer intervals.
#[derive(Debug)]
pub(super) struct Look {
    sleep: Pin<Box<tokio::time::Sleep>>,
    then: Duration,
    late: Duration,
}

impl Look {
    const SOON: Duration = Duration::from_millis(20);

    /// Creates one for a call that is late after the time `late`, of which `left` is left. Returns `None`
    /// outside a tokio runtime, where there is no timer.
    pub(super) fn when(left: Duration, late: Duration) -> Option<Self> {
        tokio::runtime::Handle::try_current().ok()?;
        // A call is late only after this time has passed.
        let [left, late] = [left, late].map(|time| time.saturating_add(Duration::from_millis(1)));
        Some(Self {
            sleep: Box::pin(tokio::time::sleep(left)),
            then: Self::SOON,
            late,
        })
    }

    /// Returns whether it is time to judge. Then the next time is set.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let is_due = self.sleep.as_mut().poll(cx).is_ready();
        if is_due {
            self.put_off();
        }
        is_due
    }

    fn put_off(&mut self) {
        let next = self.sleep.deadline() + self.then;
        self.sleep.as_mut().reset(next);
        self.then = self.late;
        self.late *= 2;
    }
}
