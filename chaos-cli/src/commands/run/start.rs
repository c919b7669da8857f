//! How the ports were when a run began.

use serde_json::Value;

use crate::{
    client::answer::{number, text},
    commands::run::target::{Looks, PortLook},
};

/// How the ports were when a run began. What was so before is none of its own.
pub(super) struct Start(Vec<PortStart>);

#[derive(Default)]
struct PortStart {
    /// The process.
    run: String,
    /// The last entry of the audit.
    audit: u64,
    /// The breaches that nobody had acknowledged.
    breaches: Vec<Value>,
}

impl Start {
    pub(super) fn of(looks: &Looks) -> Self {
        let starts = looks.iter().map(|look| match look {
            Ok(look) => PortStart {
                run: text(&look.status, "run").to_owned(),
                audit: number(&look.status["audit"], "last"),
                breaches: breaches(look).cloned().collect(),
            },
            Err(_) => PortStart::default(),
        });
        Self(starts.collect())
    }

    /// Returns the last entry of each port's audit.
    pub(super) fn audit(&self) -> Vec<u64> {
        self.0.iter().map(|port| port.audit).collect()
    }

    /// Returns the breaches at the nth port that are new.
    pub(super) fn new_breaches<'l>(
        &self,
        nth: usize,
        look: &'l PortLook,
    ) -> impl Iterator<Item = &'l Value> {
        let known = self.0.get(nth).map(|port| &port.breaches[..]);
        let known = known.unwrap_or_default();
        // The same bound may break again.
        let is_known = |breach: &Value| {
            let same = |it: &Value| it["at"] == breach["at"] && it["text"] == breach["text"];
            known.iter().any(same)
        };
        breaches(look).filter(move |breach| !is_known(breach))
    }

    /// Returns whether another process answers at the nth port.
    pub(super) fn is_another_process(&self, nth: usize, look: &PortLook) -> bool {
        let run = text(&look.status, "run");
        let known = self.0.get(nth).map_or("", |port| &port.run);
        !run.is_empty() && !known.is_empty() && run != known
    }
}

fn breaches(look: &PortLook) -> impl Iterator<Item = &Value> {
    look.status["breaches"].as_array().into_iter().flatten()
}
