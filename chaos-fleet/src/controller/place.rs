//! Puts a document: decides for whom it is meant, seals it, and writes it.

use crate::{
    aim::{Aim, Decided},
    controller::{
        ending::Ended,
        error::FleetError,
        operator::{Operator, Shared},
        status::peek,
        view::View,
    },
    document::{Document, sealed::Terms},
    error::{Refusal, StoreError},
    name::Name,
    replica::Replica,
    store::session::Session,
};

/// A document that was put.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Placed {
    /// Its name.
    pub name: Name,
    /// The revision of etcd in which it was put.
    pub revision: i64,
    /// The registered replicas for which it is meant, by id.
    pub meant: Vec<Name>,
    /// The number of replicas whose guard rails may break before it ends everywhere.
    pub breaches: usize,
}

/// What a document is put on.
#[derive(Clone, Copy)]
pub(super) enum Ground {
    /// The lease of a controller.
    Lease(i64),
    Nothing,
}

impl Operator {
    /// Seals a document, and puts it.
    pub(super) async fn place(
        &self,
        document: &Document,
        by: &str,
        reason: Option<&str>,
        ground: Ground,
    ) -> Result<Placed, FleetError> {
        let trust = self.trust.as_ref().ok_or_else(|| {
            let allowed = "the key that replicas know, or trust in the store";
            Refusal::new("trust", "nothing says how documents are signed", allowed)
        })?;
        let Shared { keys, fleet, .. } = &*self.shared;
        let name = document.name();
        let (key, stops, controller) = (keys.document(name), keys.stops(name), keys.controller());
        let (key, stops, controller) = (&key, &stops, &controller);
        let put = |session: Session| async move {
            let (replicas, decided) = self.decide(&session, document.aim(), name).await?;
            if session.get(key).await?.is_none() {
                // Those of documents of this name that went with their controllers.
                session.delete_all(&keys.limits(name)).await?;
            }
            let meant = replicas.iter();
            let meant = meant.filter(|replica| decided.is_meant_for(name, replica));
            let meant: Vec<_> = meant.map(|replica| replica.id.clone()).collect();
            let terms = Terms {
                fleet,
                by,
                reason,
                decided,
                replicas: meant.len(),
                now: self.shared.clock.wall(),
            };
            let value = trust.seal(document, terms)?;
            let (lease, held) = match ground {
                Ground::Lease(lease) => (Some(lease), Some((controller.as_str(), lease))),
                Ground::Nothing => (None, None),
            };
            let put = session.put_and_clear(key, value, lease, stops, held);
            let Some(revision) = put.await? else {
                return Err(FleetError::Over(Ended::Lost));
            };
            Ok(Placed {
                name: name.clone(),
                revision,
                meant,
                breaches: document.fleet().breaches(),
            })
        };
        self.shared.line.ask(put).await
    }

    /// Returns the replicas that are registered, and for which of them a document is meant.
    pub(super) async fn decide(
        &self,
        session: &Session,
        aim: &Aim,
        name: &Name,
    ) -> Result<(Vec<Replica>, Decided), StoreError> {
        let Shared {
            keys, fleet, clock, ..
        } = &*self.shared;
        let listed = session.list(&keys.replicas()).await?;
        let replicas = View::of(keys, listed).replicas.into_values();
        let replicas: Vec<_> = replicas.map(|report| report.replica).collect();
        let before = session.get(&keys.document(name)).await?;
        let before = before.and_then(|entry| match &self.trust {
            Some(trust) => trust.open(&entry.value, fleet, name, clock.wall()).ok(),
            None => peek(&entry.value, fleet, name).ok(),
        });
        let before = before.map(|sealed| sealed.decided);
        let decided = aim.decide(name, &replicas, before.as_ref());
        Ok((replicas, decided))
    }
}
