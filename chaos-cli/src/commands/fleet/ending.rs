//! Why an application is over.

use chaos_fleet::{DocumentEnd, Ended};

use crate::failure::Exit;

/// Why an application is over.
pub(in crate::commands) enum ApplyEnding {
    /// The document's time is over.
    Over,
    /// A signal, with the exit code for it.
    Signal(u8),
    /// Not all replicas have applied the document in time.
    NotAll,
    /// What the fleet has to say.
    Fleet(DocumentEnd),
}

impl ApplyEnding {
    pub(in crate::commands) fn exit(&self) -> Exit {
        match self {
            Self::Over => Exit::Done,
            Self::Signal(code) => Exit::Other(*code),
            Self::Fleet(DocumentEnd::Stopped(_)) => Exit::Stopped,
            Self::Fleet(DocumentEnd::Halted(_) | DocumentEnd::Removed | DocumentEnd::Replaced) => {
                Exit::Changed
            }
            // Replicas end the document by themselves, and nobody can ask them whether they have.
            Self::Fleet(DocumentEnd::Ended(Ended::Unreachable(_))) => Exit::NotEverywhere,
            Self::NotAll | Self::Fleet(_) => Exit::Refused,
        }
    }

    /// Returns what has happened.
    pub(in crate::commands) fn told(&self) -> String {
        match self {
            Self::Over | Self::Signal(_) | Self::NotAll => "taken back".to_owned(),
            Self::Fleet(DocumentEnd::Stopped(stops)) => match stops.keys().next() {
                Some(replica) => format!("stopped by {replica}"),
                None => "stopped".to_owned(),
            },
            Self::Fleet(DocumentEnd::Halted(halt)) => format!("halted by {}", halt.by),
            Self::Fleet(DocumentEnd::Removed) => "taken away by somebody else".to_owned(),
            Self::Fleet(DocumentEnd::Replaced) => "replaced by somebody else".to_owned(),
            Self::Fleet(DocumentEnd::Ended(Ended::Unreachable(_))) => {
                "ended early, because etcd could not be reached".to_owned()
            }
            Self::Fleet(_) => "ended early, because the lease was lost".to_owned(),
        }
    }

    /// Returns the reason that somebody has given for it.
    pub(in crate::commands) fn reason(&self) -> Option<&str> {
        match self {
            Self::Fleet(DocumentEnd::Stopped(stops)) => {
                stops.values().next().map(|stop| stop.reason.as_str())
            }
            Self::Fleet(DocumentEnd::Halted(halt)) => halt.reason.as_deref(),
            _ => None,
        }
    }
}
