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
}

impl Holders {
    /// How many holders are listed. Further ones are in the audit alone: who halts may have any name.
    const MOST: usize = 100;

    /// Adds a holder. One who holds already keeps the reason and the time of the first halt, and is locked again
    /// if someone has acknowledged it.
    pub(super) fn add(&mut self, kind: HolderKind, by: Actor, now: Duration) {
        self.add_hold(Hold {
            locked: kind != HolderKind::Person,
            since: now,
            kind,
            by,
            breach: None,
        });
    }

    /// Adds a guard rail as a holder, as [`add`](Self::add) does, with what it has measured.
    pub(super) fn add_guard_rail(&mut self, breach: Arc<OpenBreach>, by: Actor, now: Duration) {
        self.add_hold(Hold {
            locked: true,
            since: now,
            kind: HolderKind::GuardRail,
            by,
            breach: Some(breach),
        });
    }

    fn add_hold(&mut self, hold: Hold) {
        self.halts += 1;
        let mut known = self.holds.iter_mut();
        if let Some(known) = known.find(|known| known.is_by_the_same(&hold)) {
            known.locked |= hold.locked;
            known.breach = hold.breach;
        // A hold that is locked is always listed: it is what keeps a resume away.
        } else if hold.locked || self.holds.len() < Self::MOST {
            self.holds.push(hold);
        }
    }

    /// Returns the number of halts so far.
    pub(super) fn halts(&self) -> u64 {
        self.halts
    }

    /// Returns who was the first to halt, apart from the environment, whose halt ends with the process.
    pub(super) fn first(&self) -> Option<Actor> {
        let others = |hold: &&Hold| hold.kind != HolderKind::Environment;
        self.holds.iter().find(others).map(|hold| hold.by.clone())
    }

    /// Returns an error if a resume is refused because of a holder.
    pub(super) fn check_unlocked(&self) -> Result<(), ChangeError> {
        match self.holds.iter().find(|hold| hold.locked) {
            None => Ok(()),
            Some(hold) => Err(ChangeError::Locked {
                reason: hold.reason().into(),
            }),
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

    /// Unlocks the holds of guard rails, and returns the breaches that were not acknowledged yet.
    pub(super) fn acknowledge(&mut self) -> Vec<Arc<OpenBreach>> {
        let breaches = self.breaches().collect();
        for hold in &mut self.holds {
            // Only a restart undoes what the environment says.
            hold.locked &= hold.kind == HolderKind::Environment;
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

    /// Returns who holds, as an entry of the audit names them.
    fn name(&self) -> String {
        match self.kind {
            HolderKind::Person => self.by.to_string(),
            HolderKind::GuardRail => "a guard rail".to_owned(),
            HolderKind::Environment => "the environment".to_owned(),
        }
    }

    /// Returns whether both are holds of one person, from whatever port of one address, or of one
    /// breach.
    fn is_by_the_same(&self, other: &Self) -> bool {
        let host = |hold: &Self| -> Option<IpAddr> {
            let address: std::net::SocketAddr = hold.by.address()?.parse().ok()?;
            Some(address.ip())
        };
        let is_one = match self.kind {
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
            holders.add_guard_rail(Arc::clone(&breach), by, Duration::ZERO);
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
