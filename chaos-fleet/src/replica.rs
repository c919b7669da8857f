//! What a replica says of itself: its id, its labels, and the faults that it lets pickers inject.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{error::Refusal, name::Name};

/// The labels of a replica, such as `zone=b`: at most 32, each name of 1 to 64 bytes, each value of at most 256.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    const MOST: usize = 32;
    const LONGEST_NAME: usize = 64;
    const LONGEST_VALUE: usize = 256;

    /// Adds a label, or replaces the one of this name.
    ///
    /// # Errors
    /// Returns an error if the name or the value is too long, or there are 32 labels already.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, Refusal> {
        let refuse = |problem, allowed| Err(Refusal::new("labels", problem, allowed));
        if !(1..=Self::LONGEST_NAME).contains(&name.len()) {
            let problem = format!("a name of {} bytes", name.len());
            return refuse(problem, "names of 1 to 64 bytes");
        }
        if value.len() > Self::LONGEST_VALUE {
            let problem = format!("`{name}` has a value of {} bytes", value.len());
            return refuse(problem, "values of at most 256 bytes");
        }
        self.0.insert(name.to_owned(), value.to_owned());
        if self.0.len() > Self::MOST {
            return refuse(format!("{} labels", self.0.len()), "at most 32");
        }
        Ok(self)
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether all labels of `asked` are among these.
    pub(crate) fn have_all(&self, asked: &Self) -> bool {
        asked
            .iter()
            .all(|(name, value)| self.find(name) == Some(value))
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = Refusal;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, Refusal> {
        let mut pairs = labels.iter();
        pairs.try_fold(Self::default(), |labels, (name, value)| {
            labels.with(name, value)
        })
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

/// One replica: what documents aim at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replica {
    /// Which one. No two replicas of a fleet have one id.
    pub id: Name,
    /// What documents may aim by.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The kinds of faults that a picker may inject here, such as `latency`: none unless the application says so. An abort
    /// that ends the process is `exit`, and each other abort is `abort`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub opted_in: BTreeSet<String>,
}

impl Replica {
    /// Makes a replica without labels, at which no picker may inject.
    #[must_use]
    pub fn new(id: Name) -> Self {
        Self {
            id,
            labels: Labels::default(),
            opted_in: BTreeSet::new(),
        }
    }

    /// Adds a label, or replaces the one of this name.
    ///
    /// # Errors
    /// Returns an error if the name or the value is too long, or there are 32 labels already.
    pub fn label(mut self, name: &str, value: &str) -> Result<Self, Refusal> {
        self.labels = self.labels.with(name, value)?;
        Ok(self)
    }

    /// Lets pickers inject a kind of fault here, such as `latency`, `abort` or, for an abort that ends the process, `exit`.
    #[must_use]
    pub fn opt_in(mut self, fault: &str) -> Self {
        self.opted_in.insert(fault.to_owned());
        self
    }
}
