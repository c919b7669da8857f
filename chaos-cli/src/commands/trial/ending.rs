//! Why a trial ends.

use crate::failure::Exit;

/// Why a trial ends.
pub(super) enum Ending {
    /// The time is over.
    Over,
    /// A signal, with the exit code for it.
    Signal(u8),
    /// The command ended, with this code.
    Command(u8),
    /// A guard rail of the rules has stopped them, such as that of `--until`.
    Bound,
    /// Somebody else has deleted or disabled the rules.
    Gone,
    /// Injection is halted at a service, and no guard rail of the rules has done it.
    Halted,
    /// The service has ended the rules before the time was over.
    Early,
}

impl Ending {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Over => Exit::Done,
            Self::Signal(code) | Self::Command(code) => Exit::Other(*code),
            Self::Bound => Exit::Stopped,
            Self::Gone | Self::Halted => Exit::Changed,
            Self::Early => Exit::Refused,
        }
    }

    pub(super) fn told(&self) -> &'static str {
        match self {
            Self::Over | Self::Signal(_) | Self::Command(_) => "taken back",
            Self::Bound => "stopped by the bound",
            Self::Gone => "taken away by somebody else",
            Self::Halted => "halted by somebody else",
            Self::Early => "ended early, because the lease was not extended",
        }
    }
}
