//! A weighted choice among faults in JSON: each option with its weight, and a fault like any other.

use super::FaultDoc;
use crate::{
    error::RuleError,
    fault::{Fault, OneOf},
    wire::{
        document::document,
        form::{Object, Whole},
        shape::{Documented, Shape},
    },
};

pub(super) const ONE_OF: Shape = Shape::list(&OptionDoc::SHAPE, 2, 100)
    .allowing("a list of 2 to 100 objects, each with fault and, unless it is 1, weight");

document! {
    /// One fault of a choice.
    OptionDoc as "WeightedFault";
    required {
        /// Any fault but one_of.
        fault: Object<FaultDoc> = FaultDoc::SHAPE.allowing("a fault other than one_of");
    }
    optional {
        /// How often it is drawn in relation to the others: 1 unless it is given.
        weight: Whole<u32> = Shape::whole(1, 1_000_000);
    }
}

pub(super) fn fault(docs: Vec<Object<OptionDoc>>) -> Result<Fault, RuleError> {
    let mut options = Vec::with_capacity(docs.len());
    for (at, Object(OptionDoc { weight, fault })) in docs.into_iter().enumerate() {
        let here = |error: RuleError| error.under(&format!("[{at}].fault"));
        let weight = weight.map_or(1, |Whole(weight)| weight);
        options.push((weight, fault.0.into_fault().map_err(here)?));
    }
    Fault::one_of(options).map_err(|error| {
        let within = error.field().trim_start_matches("one_of").to_owned();
        error.at(&within)
    })
}

pub(super) fn doc(one_of: &OneOf) -> Vec<Object<OptionDoc>> {
    let doc = |(weight, fault): &(u32, Fault)| OptionDoc {
        weight: (*weight != 1).then_some(Whole(*weight)),
        fault: Object(fault.into()),
    };
    let options = one_of.options().iter();
    options.map(|option| Object(doc(option))).collect()
}
