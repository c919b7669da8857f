//! Signs of life of controllers, and the leashes that they extend.

use std::{collections::HashMap, time::Duration};

use chaos_core::{Injector, Leash};

/// The leashes of the controllers that have put documents here or been heard, by the controller's lease in etcd.
#[derive(Debug, Default)]
pub(super) struct Beats(HashMap<i64, Heard>);

#[derive(Debug)]
struct Heard {
    leash: Leash,
    /// When the last beat of the present session came, on the follower's clock, or some time before that.
    last: Option<Duration>,
}

impl Beats {
    /// Returns the leash of a controller.
    pub(super) fn leash(&mut self, lease: i64, injector: &Injector, hold: Duration) -> &Leash {
        let heard = self.0.entry(lease).or_insert_with(|| {
            let leash = injector.leash(hold);
            // Nothing is armed before the controller is heard.
            leash.end();
            Heard { leash, last: None }
        });
        &heard.leash
    }

    /// Takes a beat of a controller that was seen live at `now`, and came no earlier than `ago` before.
    ///
    /// A controller sends no beat before etcd has answered to the one before. So a beat, which may have waited in a socket since
    /// the death of its controller, proves no more than that the controller lived when the one before came.
    pub(super) fn take(
        &mut self,
        lease: i64,
        (now, ago): (Duration, Duration),
        injector: &Injector,
        hold: Duration,
    ) {
        self.leash(lease, injector, hold);
        let Some(heard) = self.0.get_mut(&lease) else {
            return;
        };
        if let Some(last) = heard.last.replace(now.saturating_sub(ago)) {
            heard.leash.extend_since(now.saturating_sub(last));
        }
    }

    /// Begins a session: what was heard in the one before may have been the last.
    pub(super) fn begin_session(&mut self) {
        for heard in self.0.values_mut() {
            heard.last = None;
        }
    }

    /// Forgets the controllers that are silent and of which nothing is in force.
    pub(super) fn keep(&mut self, are_used: impl Fn(i64) -> bool) {
        self.0
            .retain(|lease, heard| !heard.leash.is_over() || are_used(*lease));
    }
}
