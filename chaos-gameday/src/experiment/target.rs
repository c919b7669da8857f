//! Where faults are injected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{document::TargetDoc, limits};
use crate::error::ExperimentError;

/// Where faults are injected.
///
/// This enum is closed: a new kind of target is a breaking change.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Admin ports, at least one: `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.
    Endpoints(Vec<String>),
    /// Replicas that are reached through etcd.
    Fleet(FleetTarget),
}

/// Replicas that are reached through etcd: those with all of the labels, and of these a share, a number, or those with these
/// ids. Without anything, all.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FleetTarget {
    /// The endpoints of etcd.
    #[schemars(length(min = 1, max = 100))]
    pub etcd: Vec<String>,
    /// The name of the fleet.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The labels that a replica must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The part of the replicas, 0 to 1, rounded up to whole replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: Option<f64>,
    /// The number of replicas; all if there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// The replicas themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// The greatest number of replicas, however many have the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<usize>,
}

impl Target {
    pub(super) fn read(doc: TargetDoc) -> Result<Self, ExperimentError> {
        let refuse = |problem| {
            let allowed = "exactly one of `endpoint`, `endpoints` and `fleet`";
            Err(ExperimentError::new("target", problem, allowed))
        };
        match (doc.endpoint, doc.endpoints, doc.fleet) {
            (Some(one), None, None) => {
                endpoint("target.endpoint", &one)?;
                Ok(Self::Endpoints(vec![one]))
            }
            (None, Some(several), None) => {
                limits::count("target.endpoints", several.len(), 1, limits::ENDPOINTS)?;
                for (n, one) in several.iter().enumerate() {
                    endpoint(&format!("target.endpoints[{n}]"), one)?;
                }
                let names = several.iter().map(String::as_str);
                limits::unique("target.endpoints", "endpoint", names)?;
                Ok(Self::Endpoints(several))
            }
            (None, None, Some(fleet)) => {
                fleet.check()?;
                Ok(Self::Fleet(fleet))
            }
            (None, None, None) => refuse("nothing is named"),
            _ => refuse("several are named"),
        }
    }

    pub(super) fn document(&self) -> TargetDoc {
        match self {
            Self::Endpoints(several) => match &several[..] {
                [one] => TargetDoc {
                    endpoint: Some(one.clone()),
                    ..TargetDoc::default()
                },
                _ => TargetDoc {
                    endpoints: Some(several.clone()),
                    ..TargetDoc::default()
                },
            },
            Self::Fleet(fleet) => TargetDoc {
                fleet: Some(fleet.clone()),
                ..TargetDoc::default()
            },
        }
    }
}

impl FleetTarget {
    fn check(&self) -> Result<(), ExperimentError> {
        limits::count("target.fleet.etcd", self.etcd.len(), 1, limits::LIST)?;
        for (n, one) in self.etcd.iter().enumerate() {
            limits::url(&format!("target.fleet.etcd[{n}]"), one)?;
        }
        limits::text("target.fleet.name", &self.name, limits::NAME)?;
        limits::count("target.fleet.labels", self.labels.len(), 0, limits::LIST)?;
        if let Some(share) = self.share {
            limits::share("target.fleet.share", share)?;
        }
        let given = [
            self.share.is_some(),
            self.count.is_some(),
            self.ids.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let allowed = "at most one of `share`, `count` and `ids`";
            let problem = "several are named";
            return Err(ExperimentError::new("target.fleet", problem, allowed));
        }
        Ok(())
    }
}

fn endpoint(field: &str, endpoint: &str) -> Result<(), ExperimentError> {
    if endpoint
        .strip_prefix("unix:")
        .is_some_and(|path| path.starts_with('/'))
    {
        return limits::text(field, endpoint, limits::URL);
    }
    limits::url(field, endpoint).map_err(|error| {
        let allowed = "http://HOST:PORT, https://HOST:PORT or unix:/PATH";
        ExperimentError::new(field, error.problem(), allowed)
    })
}
