//! The metrics in Prometheus' text format.

use prometheus::{
    TextEncoder,
    proto::{self, LabelPair, MetricFamily, MetricType},
};

use super::table::{Metric, Sample, Snapshot, TABLE, Values};

/// Formats all metrics in the order of the table. A metric without a series has its `HELP` and
/// `TYPE` lines only.
pub(super) fn of(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for metric in TABLE {
        let (kind, samples) = match metric.values {
            Values::Counter(read) => (MetricType::COUNTER, numbers(metric, &read(snapshot))),
            Values::Gauge(read) => (MetricType::GAUGE, numbers(metric, &read(snapshot))),
            Values::Histogram => (MetricType::HISTOGRAM, snapshot.delays.clone()),
        };
        let (name, help) = (metric.name, metric.help);
        if samples.is_empty() {
            let kind = metric.values.kind();
            text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
            continue;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(samples);
        let encoded = TextEncoder::new().encode_utf8(&[family], &mut text);
        encoded.expect("a string takes whatever has a name and a sample");
    }
    text
}

fn numbers(metric: &Metric, samples: &[Sample]) -> Vec<proto::Metric> {
    let number = |(values, number): &Sample| {
        let labels = metric.labels.iter().zip(values);
        let mut sample = proto::Metric::from_label(labels.map(pair).collect());
        // The encoder reads the field that belongs to the type of the family.
        let (mut counter, mut gauge) = (proto::Counter::default(), proto::Gauge::default());
        counter.set_value(*number);
        gauge.set_value(*number);
        sample.set_counter(counter);
        sample.set_gauge(gauge);
        sample
    };
    samples.iter().map(number).collect()
}

fn pair((name, value): (&&str, &String)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name((*name).to_owned());
    pair.set_value(value.clone());
    pair
}
