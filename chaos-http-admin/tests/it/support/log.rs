//! What a process logs.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, mpsc::channel},
    time::Duration,
};

use chaos_core::log::log;
use tracing::{
    Event, Subscriber,
    field::Visit,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

/// Everything that anyone in this process logs, at every level.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<String>>);

impl Log {
    /// Installs the log of this process, which must have none yet.
    pub(crate) fn of_the_process() -> Self {
        let log = Self::default();
        tracing::subscriber::set_global_default(registry().with(log.clone())).unwrap();
        log
    }

    /// Returns what was logged, by the thread of the log too, which emits lines in the order of their making.
    pub(crate) fn said(&self) -> String {
        let (emitted, all) = channel();
        log(move || emitted.send(()).unwrap());
        all.recv_timeout(Duration::from_secs(60)).unwrap();
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        span.record(&mut self.clone());
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.clone());
    }
}

impl Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let mut log = self.0.lock().unwrap();
        writeln!(log, "{}={value:?}", field.name()).unwrap();
    }
}
