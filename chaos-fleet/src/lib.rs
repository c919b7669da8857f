//! One fault on the whole fleet: rules of [`chaos_core`] for many replicas, through etcd.
//!
//! A **document** has rules, says whom they are meant for, and how long they last. A **controller** puts it into etcd, and
//! shows that it lives by a beat each two seconds. Each **replica** [joins](Fleet::join) its fleet, follows the documents
//! that are meant for it, and [reports](Report) what it has done with them.
//!
//! # When rules end
//!
//! Each of these is enough, and none needs another:
//!
//! 1. At most one *hold* after the last beat that a replica has heard, on its own clock. Nobody has to be reached for that: a call
//!    that is about to be hit reads the deadline ([`chaos_core::Leash`]), also while a fault blocks the runtime.
//! 2. When the document's `ttl` is over, counted from the moment when the replica first saw it.
//! 3. When the lease of the controller ends in etcd, which removes the document.
//! 4. When somebody removes the document, halts the fleet, or a guard rail of one replica breaks.
//!
//! A replica arms nothing before it has heard the controller of a document live. What it finds in etcd when it starts, or when
//! it comes back, is no sign of life: etcd gives leases their whole time again when it restarts or elects another leader, and
//! with it the documents of a controller that is dead.
//!
//! # Picks at random
//!
//! With the feature `picker`, `Picker` picks replicas at random in the hours of a schedule, and puts rules there for a while;
//! `chaosctl monkey` runs it.
//!
//! # What holds for each, and what for all
//!
//! A `rate`, with or without a key, means the same at each replica and at all of them. A `limit`, `max_active`, `skip` and a
//! `budget` are each replica's own. `fleet.limit` of a document is never exceeded by all together: replicas take parts of it
//! ahead, so that no call waits for etcd, and what a replica had that dies is lost.
//!
//! # Cost
//!
//! A call costs what a rule of the replica itself costs. Each replica has one connection, one watch and one lease, and
//! writes only when something has changed. The book has the times of a
//! thousand replicas.
//!
//! # Limitations
//!
//! A fleet has one controller at a time. A replica takes 256 documents. There is no store but etcd.
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Invalid input never panics; an internal invariant that does not hold panics with `expect`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod aim;
mod controller;
mod document;
mod error;
mod hold_range;
mod keys;
mod member;
mod name;
#[cfg(feature = "picker")]
pub mod picker;
#[cfg(feature = "picker")]
mod picking;
mod replica;
mod report;
mod store;

pub use crate::controller::{
    Answers, Content, Controller, DocumentEnd, DocumentStatus, Ended, FleetError, FleetStatus,
    Holder, Operator, Placed, Preview,
};
#[cfg(feature = "picker")]
pub use crate::picking::{Made, PickEnd, Picker, Turn};
pub use crate::{
    aim::Aim,
    document::{Document, FleetTerms, LeashKind, sealed::Trust},
    error::{Refusal, StoreError},
    member::{Fleet, Member, MemberHandle, MemberStatus},
    name::Name,
    replica::{Labels, Replica},
    report::{Fate, Halt, Outcome, ReplicaState, Report, Stop},
    store::Etcd,
};
