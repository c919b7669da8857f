//! Subscribers of `tracing`, for one thread each.

use std::sync::LazyLock;

use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, registry};

/// Runs `work` with a subscriber for this thread.
///
/// Whether anyone listens to an event is remembered for the whole process. While it knows of one
/// subscriber alone, `tracing` asks the thread that comes to the event first, which may be that of
/// another test and have none. So there is always a second one, which listens to nothing.
pub(crate) fn listening<T>(subscriber: impl Into<Dispatch>, work: impl FnOnce() -> T) -> T {
    static SECOND: LazyLock<Dispatch> =
        LazyLock::new(|| Dispatch::new(registry().with(LevelFilter::OFF)));
    LazyLock::force(&SECOND);
    dispatcher::with_default(&subscriber.into(), work)
}
