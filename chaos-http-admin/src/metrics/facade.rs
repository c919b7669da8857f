//! Publication of the metrics through the `metrics` facade.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::table::{Metric, Snapshot, TABLE, Values};

/// The values that were published last, by name and label values.
#[derive(Default)]
pub(super) struct Published(Mutex<HashMap<(&'static str, Vec<String>), f64>>);

impl Published {
    /// Publishes a snapshot. `look` is called under the lock, so that concurrent calls publish
    /// their snapshots in the order in which they were taken.
    pub(super) fn publish(&self, look: impl FnOnce() -> Snapshot) {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = &look();
        let mut now = HashMap::new();
        for metric in TABLE {
            let name = metric.name;
            match metric.values {
                Values::Counter(read) => {
                    describe_counter!(name, metric.help);
                    for sample in read(snapshot) {
                        let labels = labels(metric, &sample.0);
                        let (values, number) = sample;
                        let series = (name, values);
                        let last = before.get(&series).copied().unwrap_or_default();
                        // A counter that has become smaller was reset.
                        let grown = if number < last { number } else { number - last };
                        // Incrementing by 0 as well makes the series appear.
                        counter!(name, labels).increment(grown as u64);
                        now.insert(series, number);
                    }
                }
                Values::Gauge(read) => {
                    describe_gauge!(name, metric.help);
                    for sample in read(snapshot) {
                        gauge!(name, labels(metric, &sample.0)).set(sample.1);
                        now.insert((name, sample.0), sample.1);
                    }
                    let gone = before.keys().filter(|series| series.0 == name);
                    for (_, values) in gone.filter(|series| !now.contains_key(series)) {
                        gauge!(name, labels(metric, values)).set(0.0);
                    }
                }
                Values::Histogram => describe_histogram!(name, metric.help),
            }
        }
        // Series that no longer exist are forgotten; their gauges were set to 0 above.
        *before = now;
    }
}

fn labels(metric: &Metric, values: &[String]) -> Vec<Label> {
    let labels = metric.labels.iter().zip(values);
    labels
        .map(|(name, value)| Label::new(*name, value.clone()))
        .collect()
}
