//! When to judge guard rails while a call is held: there may be no other call that does.

use std::{pin::Pin, task::Context, time::Duration};

use pin_project_lite::pin_project;

pin_project! {
    /// When to judge while a call is pending: when it is late, once more soon after (the first time may be too
    /// soon after that of another call to count), and then after longer and longer intervals.
    #[derive(Debug)]
    pub(super) struct Look {
        #[pin]
        sleep: tokio::time::Sleep,
        then: Duration,
        late: Duration,
    }
}

impl Look {
    const SOON: Duration = Duration::from_millis(20);

    /// Creates one for a call that is late after the time `late`, of which `left` is left. Returns `None`
    /// outside a tokio runtime, where there is no timer.
    pub(super) fn when(left: Duration, late: Duration) -> Option<Pin<Box<Self>>> {
        tokio::runtime::Handle::try_current().ok()?;
        // A call is late only after this time has passed.
        let [left, late] = [left, late].map(|time| time.saturating_add(Duration::from_millis(1)));
        Some(Box::pin(Self {
            sleep: tokio::time::sleep(left),
            then: Self::SOON,
            late,
        }))
    }

    /// Returns whether it is time to judge. Then the next time is set.
    pub(super) fn is_due(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let is_due = this.sleep.as_mut().poll(cx).is_ready();
        if is_due {
            let next = this.sleep.deadline() + *this.then;
            this.sleep.reset(next);
            *this.then = *this.late;
            *this.late *= 2;
        }
        is_due
    }
}
