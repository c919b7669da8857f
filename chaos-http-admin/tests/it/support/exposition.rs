//! Prometheus' text format, read as strictly as it is written down.

use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Type and help of each metric, in order.
    pub(crate) families: Vec<(String, String, String)>,
    samples: Vec<(String, Labels, f64)>,
}

impl Exposition {
    /// Each metric has its help and its type before its samples, all of these stand together, and no
    /// series is there twice.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut read = Self::default();
        let mut helps = Vec::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a help has a text");
                helps.push((name.to_owned(), help.to_owned()));
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                let (of, help) = helps.last().expect("the help comes first").clone();
                assert_eq!(of, name, "the help is of the same");
                let is_new = read.families.iter().all(|(known, ..)| known != name);
                assert!(is_new, "{name} twice");
                read.families.push((of, kind.to_owned(), help));
            } else {
                read.sample(line);
            }
        }
        read
    }

    #[track_caller]
    fn sample(&mut self, line: &str) {
        let (series, number) = line.rsplit_once(' ').expect("a series and a number");
        let (name, labels) = match series.split_once('{') {
            None => (series, Labels::new()),
            Some((name, labels)) => {
                let labels = labels.strip_suffix('}').expect("a closing brace");
                let pairs = labels.split("\",").map(|pair| {
                    let (label, value) = pair.split_once("=\"").expect("a label");
                    assert!(!value.contains('\\'), "no name needs an escape: {line}");
                    (label.to_owned(), value.trim_end_matches('"').to_owned())
                });
                (name, pairs.collect())
            }
        };
        let (family, kind, _) = self.families.last().expect("a family comes first");
        let suffix = name.strip_prefix(family.as_str());
        let fits = match kind.as_str() {
            "histogram" => suffix.is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end)),
            _ => suffix == Some(""),
        };
        assert!(fits, "{name} among the samples of {family}");
        let is_new = (self.samples.iter()).all(|known| (&*known.0, &known.1) != (name, &labels));
        assert!(is_new, "{series} twice");
        let number = number.parse().expect("a number");
        self.samples.push((name.to_owned(), labels, number));
    }

    /// The sum of a metric's samples that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).sum()
    }

    /// The one sample that has these labels.
    #[track_caller]
    pub(crate) fn one(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<_> = self.of(name, labels).collect();
        assert_eq!(found.len(), 1, "{name}{labels:?}: {found:?}");
        found[0]
    }

    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.of(name, labels).count()
    }

    fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = f64> + 'a {
        let fits = move |(known, found, _): &&(String, Labels, f64)| {
            let has = |(label, value): &(&str, &str)| {
                found.get(*label).is_some_and(|found| found == value)
            };
            known == name && labels.iter().all(has)
        };
        self.samples.iter().filter(fits).map(|sample| sample.2)
    }
}
