//! A weighted choice among faults in JSON: each option with its weight, and a fault like any other.

use serde::{Deserialize, Serialize};

use super::{
    fault::FaultDoc,
    form::{Object, whole},
};
use crate::{
    error::RuleError,
    fault::{Fault, OneOf},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionDoc {
    #[serde(
        default = "one",
        skip_serializing_if = "is_one",
        deserialize_with = "whole"
    )]
    weight: u32,
    fault: Object<FaultDoc>,
}

fn one() -> u32 {
    1
}

fn is_one(weight: &u32) -> bool {
    *weight == 1
}

pub(super) fn choice(docs: Vec<Object<OptionDoc>>) -> Result<Fault, RuleError> {
    let mut options = Vec::with_capacity(docs.len());
    for (at, Object(OptionDoc { weight, fault })) in docs.into_iter().enumerate() {
        let here = |error: RuleError| error.under(&format!("one_of[{at}].fault"));
        options.push((weight, fault.0.into_fault().map_err(here)?));
    }
    Fault::one_of(options)
}

pub(super) fn doc(one_of: &OneOf) -> Vec<Object<OptionDoc>> {
    let doc = |(weight, fault): &(u32, Fault)| OptionDoc {
        weight: *weight,
        fault: Object(fault.into()),
    };
    one_of
        .options()
        .iter()
        .map(|option| Object(doc(option)))
        .collect()
}
