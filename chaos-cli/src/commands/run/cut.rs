//! What ends a stage of an experiment before its time.

use chaos_gameday::TargetFate;

use crate::failure::Failure;

/// What has ended an experiment before its time.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// A signal, with the exit code for it.
    Signal(u8),
    /// A probe that has to hold before anything is injected has not held, or could not be asked.
    NotSteady(String),
    /// The rules would hit too few calls.
    TooFew(String),
    /// A bound of the experiment, a guard rail, or somebody else.
    Stopped(String),
    /// Some did not take the rules; what became of them at the others.
    NotApplied(Vec<(String, Failure)>, TargetFate),
    /// A port does not answer any longer, or what holds a fleet is lost.
    Lost(String, Failure),
}

impl Cut {
    /// Returns what has happened, in words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Signal(code) => format!("signal {}", code - 128),
            Self::NotSteady(why) | Self::TooFew(why) | Self::Stopped(why) => why.clone(),
            Self::NotApplied(refused, _) => {
                let why = |(name, failure): &(String, Failure)| {
                    format!("{name} has not taken the rules: {failure}")
                };
                refused.iter().map(why).collect::<Vec<_>>().join("; ")
            }
            Self::Lost(endpoint, failure) => format!("{endpoint} is lost: {failure}"),
        }
    }

    /// Returns whether the stage after the phases is of use.
    pub(super) fn lets_it_be_seen_after(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }
}
