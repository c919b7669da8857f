//! One attack: what it is, who makes it, and what must hold meanwhile.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::{
    Error,
    checks::attacks::{flood::Flood, measured::Struck, strike::Target, victim::Setup},
};

/// The most memory that a victim needs, in bytes: what SECURITY.md says.
pub(super) const MEMORY: u64 = 384 << 20;

/// A check after an attack, which returns what is wrong.
pub(super) type Also = for<'s> fn(&'s Struck<'s>) -> BoxFuture<'s, Result<Vec<String>, Error>>;

/// A row of the table of attacks.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    /// The case that it is made from.
    pub(super) case: &'static str,
    pub(super) name: &'static str,
    /// Who makes it: a stranger, a visitor of the service, or the role of a token.
    pub(super) by: &'static str,
    pub(super) victim: Setup,
    /// The rules that the attacker arms first.
    pub(super) rules: Option<fn() -> Vec<Value>>,
    pub(super) means: Means,
    pub(super) also: Option<Also>,
    pub(super) memory: u64,
    /// Whether it takes the time of the service's own threads, as rules may, so that only failures count.
    pub(super) slows_the_service: bool,
}

/// What an attacker does.
#[derive(Clone, Debug)]
pub(super) enum Means {
    /// Sends requests as fast as they are answered.
    Flood(fn(&Target) -> Flood),
    /// Sends one request on each connection, and keeps the connection open.
    Hold(fn(&Target) -> Flood),
    /// Makes TLS handshakes with the port, and nothing else.
    Handshakes { connections: usize },
    /// Writes a log into the folder of the rules file.
    Write { name: &'static str },
}

impl Attack {
    pub(super) fn new(
        case: &'static str,
        name: &'static str,
        by: &'static str,
        means: Means,
    ) -> Self {
        Self {
            case,
            name,
            by,
            victim: Setup::DEFAULT,
            rules: None,
            means,
            also: None,
            memory: MEMORY,
            slows_the_service: false,
        }
    }

    pub(super) fn victim(self, victim: Setup) -> Self {
        Self { victim, ..self }
    }

    pub(super) fn rules(self, rules: fn() -> Vec<Value>) -> Self {
        let rules = Some(rules);
        Self { rules, ..self }
    }

    pub(super) fn also(self, also: Also) -> Self {
        let also = Some(also);
        Self { also, ..self }
    }

    /// Sets how much memory the rules of the attack may take in addition.
    pub(super) fn more_memory(self, bytes: u64) -> Self {
        let memory = self.memory + bytes;
        Self { memory, ..self }
    }

    pub(super) fn slows_the_service(self) -> Self {
        Self {
            slows_the_service: true,
            ..self
        }
    }
}
