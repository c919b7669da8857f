//! What becomes of a document here: it is put in force, refused, or taken out.

use std::{collections::BTreeSet, time::Duration};

use chaos_core::{Allowance, Rule, RuleId, audit::Actor, rule::Lifetime};

use crate::{
    document::{LeashKind, sealed::Sealed},
    error::Refusal,
    member::{
        follower::{Follower, Known},
        in_force::{InForce, Limited, Ties, install, remove},
    },
    name::Name,
    report::Fate,
    store::session::Entry,
};

impl Follower {
    /// The most warnings of a document that are told.
    const MOST_WARNINGS: usize = 8;

    /// Takes a document. One that is known in this revision goes on.
    pub(super) fn put(&mut self, name: Name, entry: &Entry) {
        let before = self.documents.remove(&name);
        if before
            .as_ref()
            .is_some_and(|it| it.revision == entry.revision)
        {
            self.documents
                .extend(before.map(|before| (name.clone(), before)));
            // It may have been stopped while nobody followed.
            self.check_stops(&name);
            return;
        }
        if before.is_none() && self.documents.len() >= Self::MOST {
            self.left_out.insert(name);
            return;
        }
        let wall = self.wall();
        let opened = self.trust.open(&entry.value, &self.fleet, &name, wall);
        let mut known = Known {
            revision: entry.revision,
            fate: Fate::NotMeant,
            ends: before.as_ref().map_or(Duration::MAX, |before| before.ends),
            in_force: before.and_then(|before| before.in_force),
            since: wall,
        };
        match opened {
            Err(refusal) => self.refuse(&name, refusal, &mut known),
            Ok(sealed) if !sealed.decided.is_meant_for(&name, &self.replica) => {
                self.take_out(&name, &sealed.by, &mut known);
            }
            Ok(sealed) => {
                if let Some(reason) = self.stopped(&name, entry.revision, sealed.fleet) {
                    known.fate = Fate::Stopped { reason };
                    self.take_out(&name, &sealed.by, &mut known);
                } else {
                    match self.put_in_force(&name, entry, &sealed, &mut known) {
                        Ok(fate) => known.fate = fate,
                        Err(refusal) => self.refuse(&name, refusal, &mut known),
                    }
                }
            }
        }
        self.documents.insert(name.clone(), known);
        self.check_stops(&name);
        let Self {
            beats, documents, ..
        } = self;
        let used: BTreeSet<_> = documents
            .values()
            .filter_map(|it| Some(it.in_force.as_ref()?.lease))
            .collect();
        beats.keep(|lease| used.contains(&lease));
    }

    pub(super) fn put_in_force(
        &mut self,
        name: &Name,
        entry: &Entry,
        sealed: &Sealed,
        known: &mut Known,
    ) -> Result<Fate, Refusal> {
        // Clocks of the day only bring the end forward.
        let rest = sealed
            .ends_at
            .duration_since(self.wall())
            .unwrap_or_default();
        let ttl = sealed.ttl.min(rest);
        let lifetime = Lifetime::new(ttl)?;
        let rules: Vec<_> = sealed
            .rules
            .iter()
            .map(|rule| rule.clone().lifetime(lifetime))
            .collect();
        let lease = match sealed.leash {
            LeashKind::Controller => entry.lease,
            LeashKind::Never => 0,
        };
        if sealed.leash == LeashKind::Controller && lease == 0 {
            let allowed = "a lease of its controller, or \"never\"";
            return Err(Refusal::new(
                "leash",
                "the document hangs on no lease",
                allowed,
            ));
        }
        let before = known.in_force.as_ref();
        let limited = sealed.fleet.limit.map(|limit| {
            let same = before
                .and_then(|it| it.limited.clone())
                .filter(|it| it.life == entry.created);
            let allowance = same.map_or_else(Allowance::new, |limited| limited.allowance);
            Limited {
                life: entry.created,
                allowance,
                chunk: sealed.chunk,
                limit,
            }
        });
        let life = |limited: &Option<Limited>| limited.as_ref().map(|it| it.life);
        // In a list, a rule that is over stays over: it has to be put.
        let is_over = self.clock.now() >= known.ends;
        let are_the_same = !is_over
            && before.is_some_and(|it| it.lease == lease && life(&it.limited) == life(&limited));
        let reason = sealed
            .reason
            .clone()
            .unwrap_or_else(|| format!("document `{name}`"));
        let leash =
            (lease != 0).then(|| self.beats.leash(lease, &self.injector, self.hold).clone());
        let ties = Ties {
            actor: self.actor(&sealed.by).because(reason),
            leash: leash.as_ref(),
            allowance: limited.as_ref().map(|limited| &limited.allowance),
            are_the_same,
        };
        let mine: Vec<RuleId> = before.map(|it| it.ids.clone()).unwrap_or_default();
        let current = self.injector.rules();
        let is_there = |rule: &Rule| {
            current
                .find(rule.id().as_str())
                .is_some_and(|it| **it == *rule)
        };
        let goes_on = !is_over && before.is_some() && rules.iter().all(is_there);
        install(&self.injector, &mine, &rules, ties)?;
        let warnings = self.injector.warnings(&rules);
        // Rules that have not changed keep their deadlines.
        if !goes_on {
            known.ends = self.clock.now().saturating_add(ttl);
        }
        known.in_force = Some(InForce {
            revision: entry.revision,
            ids: rules.iter().map(|rule| rule.id().clone()).collect(),
            lease,
            terms: sealed.fleet,
            limited,
        });
        Ok(Fate::Applied {
            // The first of them: a report has to fit into etcd.
            warnings: warnings
                .iter()
                .take(Self::MOST_WARNINGS)
                .map(|it| format!("rule `{}`: {}: {}", it.rule, it.field, it.detail))
                .collect(),
        })
    }

    /// Notes a refusal. What was in force stays.
    pub(super) fn refuse(&mut self, name: &Name, refusal: Refusal, known: &mut Known) {
        let what = format!("document `{name}`: {refusal}");
        self.injector.as_actor(self.actor("etcd")).refuse(what);
        self.refused += 1;
        known.fate = Fate::Refused(refusal);
    }

    pub(super) fn take_out(&self, name: &Name, by: &str, known: &mut Known) {
        if let Some(in_force) = known.in_force.take() {
            let actor = self.actor(by).because(format!("document `{name}`"));
            remove(&self.injector, &actor, &in_force.ids);
        }
    }

    pub(super) fn delete(&mut self, name: &Name) {
        self.left_out.remove(name);
        self.untold.remove(name);
        if let Some(mut known) = self.documents.remove(name) {
            self.take_out(name, "etcd", &mut known);
        }
    }

    pub(super) fn actor(&self, by: &str) -> Actor {
        Actor::new(format!("{by} (fleet {})", self.fleet))
    }
}
