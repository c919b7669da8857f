//! placeholder

mod armed;
mod call;
mod catalogue;
mod clock;
mod decision;
mod dice;
mod error;
mod fault;
mod gate;
mod glob;
mod injected;
mod injector;
mod io_kind;
mod latency;
mod lifetime;
mod macros;
mod matcher;
mod name;
mod observer;
mod pass;
mod plan;
mod rule;
mod rule_set;
mod site;
mod status;
mod tally;
mod text;
mod trigger;
#[cfg(feature = "serde")]
pub mod wire;

#[doc(hidden)]
#[path = "private.rs"]
#[allow(missing_docs, reason = "for the macros only")]
pub mod __private;

pub use crate::{
    call::{Call, Label},
    clock::{Clock, ManualClock},
    decision::Decision,
    error::RuleError,
    fault::{Failure, Fault, Status as FaultStatus},
    glob::SiteGlob,
    injected::Injected,
    injector::{Injector, global},
    latency::Latency,
    lifetime::Lifetime,
    matcher::Matcher,
    name::{RuleId, is_site_name},
    observer::{Injection, Observer},
    plan::{Answer, Plan},
    rule::{Mode, Rule},
    rule_set::{Change, ChangeError, RuleSet},
    site::{Site, SiteKind},
    status::{Counts, State, Status},
    text::{Pattern, Route, Text},
    trigger::{Rate, Trigger},
};

/// Whether the feature `compile-out` has taken every site out of this binary.
pub const COMPILED_OUT: bool = cfg!(feature = "compile-out");
