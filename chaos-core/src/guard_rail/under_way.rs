//! What guard rails ask of the calls that are under way.

use std::time::Duration;

/// A call that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallUnderWay {
    pub(crate) begun: Duration,
    /// Whether its head is still to come. Otherwise, it is its body that has not ended.
    pub(crate) awaits_head: bool,
    pub(crate) injected: bool,
}

/// The calls that are under way, and count for a guard rail.
pub(crate) trait CallsUnderWay {
    /// Passes on each call that began before `time`.
    fn each_begun_before(&self, time: Duration, each: &mut dyn FnMut(CallUnderWay));
}
