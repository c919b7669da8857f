//! A burn in JSON.

use crate::{
    error::RuleError,
    fault::{Fault, burn::Burn},
    wire::{
        document::document,
        form::SizeDoc,
        scalar::{DURATION, SIZE, duration, duration_text, refuse, size, size_text},
        shape::{Documented, Shape},
    },
};

document! {
    /// CPU time or memory that is used for a time, within the policy of the process.
    BurnDoc as "BurnFault", "either cpu or memory";
    required {
        /// How long the burn lasts.
        time as "for": String = DURATION;
    }
    optional {
        /// The fraction of each processor's time that is used.
        cpu: f64 = Shape::above_0(1.0).allowing("a share of each processor, above 0 and at most 1");
        /// The amount of memory that is held.
        memory: SizeDoc = SIZE.allowing("a size such as \"256MiB\" or a number of bytes, 1B or more");
    }
}

impl BurnDoc {
    pub(super) fn into_fault(self) -> Result<Fault, RuleError> {
        let time = duration(&self.time).map_err(Self::within("for"))?;
        let burn = match (self.cpu, &self.memory) {
            (Some(cpu), None) => Burn::cpu(cpu, time),
            (None, Some(memory)) => {
                Burn::memory(size(memory).map_err(Self::within("memory"))?, time)
            }
            (None, None) => return Err(refuse("neither cpu nor memory")),
            (Some(_), Some(_)) => return Err(refuse("both cpu and memory; list two faults")),
        };
        burn.map(Fault::Burn)
    }
}

impl From<&Burn> for BurnDoc {
    fn from(burn: &Burn) -> Self {
        Self {
            cpu: (burn.cpu > 0.0).then_some(burn.cpu),
            memory: (burn.memory > 0).then(|| size_text(burn.memory).into()),
            time: duration_text(burn.time),
        }
    }
}
