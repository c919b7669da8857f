//! The same metrics, handed to the recorder of the `metrics` facade.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::table::{Metric, Moment, Sample, TABLE, Values};

/// What was handed on already.
#[derive(Default)]
pub(super) struct Published(Mutex<HashMap<(&'static str, Vec<String>), f64>>);

impl Published {
    pub(super) fn publish(&self, moment: &Moment) {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = HashMap::new();
        for metric in TABLE {
            let name = metric.name;
            match metric.values {
                Values::Counter(read) => {
                    describe_counter!(name, metric.help);
                    for sample in read(moment) {
                        let labels = labels(metric, &sample);
                        let (values, number) = sample;
                        let series = (name, values);
                        let last = before.get(&series).copied().unwrap_or_default();
                        // One that is lower has started anew.
                        let grown = if number < last { number } else { number - last };
                        // Of nothing, too: then it is there.
                        counter!(name, labels).increment(grown as u64);
                        now.insert(series, number);
                    }
                }
                Values::Gauge(read) => {
                    describe_gauge!(name, metric.help);
                    for sample in read(moment) {
                        gauge!(name, labels(metric, &sample)).set(sample.1);
                    }
                }
                Values::Histogram => describe_histogram!(name, metric.help),
            }
        }
        // Series that are gone are forgotten.
        *before = now;
    }
}

fn labels(metric: &Metric, (values, _): &Sample) -> Vec<Label> {
    let labels = metric.labels.iter().zip(values);
    labels
        .map(|(name, value)| Label::new(*name, value.clone()))
        .collect()
}
