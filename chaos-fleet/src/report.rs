//! What a replica says of the documents of its fleet: its value in etcd, written on change only.

use std::{collections::BTreeMap, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{error::Refusal, name::Name, replica::Replica};

/// What a replica is, and what it has done with each document.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The replica.
    #[serde(flatten)]
    pub replica: Replica,
    /// The version of this crate at the replica.
    pub version: String,
    /// The revision of etcd up to which the replica has followed.
    pub seen: i64,
    /// The generation of its rules.
    pub generation: u64,
    /// Whether its injector is idle, armed or halted.
    pub state: ReplicaState,
    /// What has become of the documents, by name.
    #[serde(default)]
    pub documents: BTreeMap<Name, Outcome>,
    /// How many documents there are beyond those that a replica takes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

impl Report {
    /// Returns its value in etcd.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a report is JSON")
    }
}

/// The state of a replica's injector.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReplicaState {
    /// No rule can fire.
    Idle,
    /// Some rule may fire.
    Armed,
    /// It is halted, by the fleet or by somebody at the replica.
    Halted,
}

impl From<&chaos_core::State> for ReplicaState {
    fn from(state: &chaos_core::State) -> Self {
        match state {
            chaos_core::State::Armed => Self::Armed,
            chaos_core::State::Halted { .. } => Self::Halted,
            _ => Self::Idle,
        }
    }
}

/// What has become of a document at a replica.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The revision of etcd in which the document was put.
    pub revision: i64,
    /// What the replica has done.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What a replica has done with a document.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// Its rules are in force, once the controller is heard.
    Applied {
        /// What the replica's injector warns of, such as a site that it does not know.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// It is refused: nothing of it is in force. The last one of its name that was applied stays.
    Refused(Refusal),
    /// It is meant for others.
    NotMeant,
    /// It is over: its time has passed.
    Over,
    /// It was stopped, because guard rails of so many replicas have broken as it allows at most.
    Stopped {
        /// What has broken, at which replica.
        reason: String,
    },
}

/// Why a replica stops a document everywhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stop {
    /// The revision of the document that is stopped. One that is put later is not.
    pub revision: i64,
    /// What has broken: which bound, by what.
    pub reason: String,
}

/// A halt of a fleet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Halt {
    /// Who has halted.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in seconds since 1970, by the clock of who has halted.
    pub at: u64,
}

impl Halt {
    /// Makes a halt.
    pub(crate) fn new(by: &str, reason: Option<&str>, now: SystemTime) -> Self {
        let at = now.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            by: by.to_owned(),
            reason: reason.map(str::to_owned),
            at: at.unwrap_or_default().as_secs(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
