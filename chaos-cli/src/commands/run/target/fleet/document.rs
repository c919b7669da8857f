//! The document of a part.

use std::time::Duration;

use chaos_fleet::{Document, Name};
use chaos_gameday::{Experiment, FleetTarget};
use serde_json::{Value, json};

use crate::{
    commands::run::{phases::GRACE, stage::Part},
    failure::Failure,
};

/// What the documents of a run have in common.
pub(super) struct Documents {
    /// The name of all of them. Who is among a share depends on it, so a greater share keeps all that a smaller one had.
    pub(super) name: Name,
    aim: Value,
    /// Why, for the replicas' audits.
    reason: String,
    /// The number of replicas whose guard rails may break before a document ends everywhere.
    breaches: u32,
}

impl Documents {
    pub(super) fn of(target: &FleetTarget, experiment: &Experiment) -> Result<Self, Failure> {
        let mut aim = json!(target);
        if let Some(fields) = aim.as_object_mut() {
            fields.remove("etcd");
            fields.remove("name");
        }
        let name = name(&experiment.title).parse();
        Ok(Self {
            name: name.map_err(|refusal| Failure::of_refusal(&refusal))?,
            aim,
            reason: format!("experiment: {}", experiment.title),
            breaches: experiment.stop.breaches.unwrap_or(1),
        })
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the document with these rules as they are written.
    pub(super) fn written(
        &self,
        rules: &[Value],
        ttl: Duration,
        share: Option<f64>,
    ) -> Result<Document, Failure> {
        let mut aim = self.aim.clone();
        if let Some(share) = share {
            aim["share"] = share.into();
        }
        let document = Document::from_value(json!({
            "name": self.name,
            "rules": rules,
            "aim": aim,
            "ttl": format!("{}ms", ttl.as_millis()),
            "fleet": { "breaches": self.breaches },
        }));
        document.map_err(|refusal| Failure::of_refusal(&refusal))
    }

    /// Returns the document of a part. Its rules last as long as the document, and are all enabled, or none.
    pub(super) fn of_part(
        &self,
        part: &Part,
        rules: &[Value],
        is_on: bool,
    ) -> Result<Document, Failure> {
        let rules = rules.iter().cloned().map(|mut rule| {
            if let Some(fields) = rule.as_object_mut() {
                fields.remove("ttl");
            }
            rule["enabled"] = is_on.into();
            rule
        });
        let rules: Vec<_> = rules.collect();
        self.written(&rules, part.length + GRACE, part.share)
    }
}

/// Returns the name of the documents of an experiment.
fn name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let name = words.fold("experiment".to_owned(), |name, word| {
        format!("{name}-{}", word.to_ascii_lowercase())
    });
    // The longest that a name may be.
    name.chars().take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_title_has_a_name() {
        assert_eq!(name("Lost reads, twice"), "experiment-lost-reads-twice");
        for title in ["<script>", "Ärger im Café", "商店", &"x".repeat(200)] {
            assert!(name(title).parse::<Name>().is_ok(), "{title}");
        }
    }
}
