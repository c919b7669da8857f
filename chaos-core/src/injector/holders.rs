//! `Holders`: who keeps an injector halted.

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::{
    armed::status::{HaltHolder, HolderKind},
    audit::actor::Actor,
    guard_rail::breach::OpenBreach,
    rule::rule_set::ChangeError,
};

/// The holders of a halt, in the order in which they halted. The injector is halted while there is one.
#[derive(Debug, Default)]
pub(super) struct Holders {
    holds: Vec<Hold>,
    /// The number of halts so far.
    halts: u64,
}

/// The hold of one holder.
#[derive(Debug)]
struct Hold {
    by: Actor,
    kind: HolderKind,
    /// When it began, on the injector's clock.
    since: Duration,
    /// Whether a resume is refused because of it.
    locked: bool,
    /// What a guard rail has measured.
    breach: Option<Arc<OpenBreach>>,
    /// The name of the fleet that holds.
    fleet: Option<Arc<str>>,
}

/// Who halts besides the environment.
#[derive(Clone, Debug)]
pub(super) enum Halter<'h> {
    Person,
    /// A guard rail, with what it has measured.
    GuardRail(&'h Arc<OpenBreach>),
    /// The fleet of this name.
    Fleet(&'h str),
}

impl Holders {
    /// How many holders are listed. Further ones are in the audit alone: who halts may have any name.
    const MOST: usize = 100;

    /// Adds the environment as a holder.
    pub(super) fn add_environment(&mut self, by: Actor) {
        self.add_hold(Hold {
            by,
            kind: HolderKind::Environment,
            since: Duration::ZERO,
            locked: true,
            breach: None,
            fleet: None,
        });
    }

    /// Adds a holder. One who holds already keeps the time of the first halt, and is locked again if someone has
    /// acknowledged it. It keeps its reason, too, unless it is a fleet.
    pub(super) fn add(&mut self, halter: &Halter<'_>, by: Actor, now: Duration) {
        let (kind, breach, fleet) = match halter {
            Halter::Person => (HolderKind::Person, None, None),
            Halter::GuardRail(breach) => (HolderKind::GuardRail, Some(Arc::clone(breach)), None),
            Halter::Fleet(fleet) => (HolderKind::Fleet, None, Some(Arc::from(*fleet))),
        };
        self.add_hold(Hold {
            by,
            kind,
            since: now,
            locked: kind != HolderKind::Person,
            breach,
            fleet,
        });
    }

    fn add_hold(&mut self, hold: Hold) {
        self.halts += 1;
        let mut known = self.holds.iter_mut();
        if let Some(known) = known.find(|known| known.is_by_the_same(&hold)) {
            known.locked |= hold.locked;
            known.breach = hold.breach;
            // Of people, and of breaches, others may have seen the first. A fleet says what holds for it now.
            if hold.fleet.is_some() {
                known.by = hold.by;
            }
        // A hold that is locked is always listed: it is what keeps a resume away.
        } else if hold.locked || self.holds.len() < Self::MOST {
            self.holds.push(hold);
        }
    }

    /// Returns the number of halts so far.
    pub(super) fn halts(&self) -> u64 {
        self.halts
    }

    /// Returns who was the first to halt, apart from the environment and fleets: those who keep a halt outside the process
    /// have not to keep theirs.
    pub(super) fn first(&self) -> Option<Actor> {
        let others =
            |hold: &&Hold| !matches!(hold.kind, HolderKind::Environment | HolderKind::Fleet);
        self.holds.iter().find(others).map(|hold| hold.by.clone())
    }

    /// Returns whether a fleet holds, and nobody else.
    pub(super) fn are_alone(&self, fleet: &str) -> bool {
        !self.holds.is_empty() && self.holds.iter().all(|hold| hold.is_of(fleet))
    }

    /// Ends the hold of a fleet, and returns whether it has held.
    pub(super) fn end_fleet(&mut self, fleet: &str) -> bool {
        let before = self.holds.len();
        self.holds.retain(|hold| !hold.is_of(fleet));
        self.holds.len() < before
    }

    /// Returns an error if a resume is refused because of a holder.
    pub(super) fn check_unlocked(&self) -> Result<(), ChangeError> {
        match self.holds.iter().find(|hold| hold.locked) {
            None => Ok(()),
            Some(hold) => Err(hold.refusal()),
        }
    }

    /// Ends every hold, and returns the names of those who held; `None` if nobody did.
    pub(super) fn end(&mut self) -> Option<String> {
        let names = self.names();
        self.holds.clear();
        names
    }

    /// Returns the names of the holders, with commas in between; `None` if there is none.
    pub(super) fn names(&self) -> Option<String> {
        let names: Vec<_> = self.holds.iter().map(Hold::name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Unlocks the holds of guard rails, and no others, and returns the breaches that were not acknowledged yet.
    pub(super) fn acknowledge(&mut self) -> Vec<Arc<OpenBreach>> {
        let breaches = self.breaches().collect();
        for hold in &mut self.holds {
            // Only a restart undoes what the environment says, and only a fleet what it says.
            hold.locked &= hold.kind != HolderKind::GuardRail;
        }
        breaches
    }

    /// Returns the breaches that nobody has acknowledged.
    pub(super) fn breaches(&self) -> impl Iterator<Item = Arc<OpenBreach>> {
        let locked = self.holds.iter().filter(|hold| hold.locked);
        locked.filter_map(|hold| hold.breach.clone())
    }

    /// Returns the holders as a status lists them.
    pub(super) fn list(&self, now: Duration) -> Vec<HaltHolder> {
        let holders = self.holds.iter().map(|hold| HaltHolder {
            by: hold.by.clone(),
            kind: hold.kind,
            fleet: hold.fleet.clone(),
            ago: now.saturating_sub(hold.since),
            locked: hold.locked,
        });
        holders.collect()
    }
}

impl Hold {
    fn reason(&self) -> &str {
        self.by.reason().unwrap_or_default()
    }

    /// Returns whether the hold is that of a fleet.
    fn is_of(&self, fleet: &str) -> bool {
        self.fleet.as_deref() == Some(fleet)
    }

    /// Returns the error of a resume that is refused because of this hold.
    fn refusal(&self) -> ChangeError {
        let reason = self.reason().into();
        match &self.fleet {
            Some(fleet) => ChangeError::HeldByFleet {
                fleet: Arc::clone(fleet),
                reason,
            },
            None => ChangeError::Locked { reason },
        }
    }

    /// Returns who holds, as an entry of the audit names them.
    fn name(&self) -> String {
        match self.kind {
            HolderKind::Person => self.by.to_string(),
            HolderKind::GuardRail => "a guard rail".to_owned(),
            HolderKind::Environment => "the environment".to_owned(),
            HolderKind::Fleet => {
                format!("the fleet {}", self.fleet.as_deref().unwrap_or_default())
            }
        }
    }

    /// Returns whether both are holds of one person, from whatever port of one address, of one breach, or of one fleet.
    fn is_by_the_same(&self, other: &Self) -> bool {
        let host = |hold: &Self| -> Option<IpAddr> {
            let address: std::net::SocketAddr = hold.by.address()?.parse().ok()?;
            Some(address.ip())
        };
        let is_one = match self.kind {
            HolderKind::Fleet => return self.fleet == other.fleet,
            HolderKind::Person => host(self) == host(other),
            _ => self.by.reason() == other.by.reason(),
        };
        is_one && self.kind == other.kind && self.by.name() == other.by.name()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::guard_rail::breach::{Breach, Measure};

    /// Two guard rails with the same bounds break in the same words.
    #[test]
    fn a_breach_locks_again_what_was_acknowledged() {
        let mut holders = Holders::default();
        let breach = Arc::new(OpenBreach {
            breach: Breach {
                rule: None,
                site: "http.server".to_owned(),
                measure: Measure::ErrorRatio,
                measured: 0.2,
                baseline: None,
                allowed: 0.1,
                max_baseline: None,
                over_baseline: false,
                calls: 20,
                injected: 4,
                window: Duration::from_secs(10),
            },
            at: SystemTime::UNIX_EPOCH,
        });
        let add = |holders: &mut Holders| {
            let by = Actor::code().because("error ratio");
            holders.add(&Halter::GuardRail(&breach), by, Duration::ZERO);
        };
        add(&mut holders);
        assert_eq!(holders.acknowledge().len(), 1);
        assert!(holders.check_unlocked().is_ok());
        add(&mut holders);
        let error = holders.check_unlocked().unwrap_err();
        assert!(error.to_string().ends_with("error ratio"), "{error}");
        assert_eq!(holders.list(Duration::ZERO).len(), 1);
    }
}
