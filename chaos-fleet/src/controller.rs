//! The half of a fleet that aims: a controller, which holds the fleet on a lease, and an operator, which needs none.

mod ending;
mod error;
mod follow;
mod hold;
mod lease;
mod operator;
#[cfg(feature = "picker")]
mod picks;
mod place;
mod status;
mod view;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

pub use self::{
    ending::{DocumentEnd, Ended},
    error::FleetError,
    operator::{Operator, Preview},
    place::Placed,
    status::{Answers, Content, DocumentStatus, FleetStatus},
    view::Holder,
};
use self::{
    hold::Hold,
    lease::{revoke, take},
    place::Ground,
    view::View,
};
use crate::{
    document::{Document, LeashKind, sealed::Trust},
    error::StoreError,
    hold_range,
    name::Name,
    store::Etcd,
};

/// Holds a fleet: the documents that it puts end with it.
///
/// A fleet has one controller at a time. Its documents, and what says that it holds the fleet, hang on a lease of etcd, which
/// it keeps alive, and it beats: a key changes each two seconds, or five times a hold. Replicas obey its documents for as
/// long as they hear the beat, and for one hold more. If it is killed, etcd removes the documents when the lease is over, and
/// replicas have ended them by then.
///
/// It goes on over another session, or at another endpoint, while its lease lives. A controller that has lost its lease is
/// over, and never takes it again: see [`ended`](Self::ended).
///
/// Dropping it ends its lease in the background, as long as the runtime runs; [`release`](Self::release) waits for that.
///
/// ```no_run
/// use std::time::Duration;
/// use chaos_core::token::TokenKey;
/// use chaos_fleet::{Controller, Document, Etcd, Trust};
///
/// # async fn lose_reads() -> Result<(), Box<dyn std::error::Error>> {
/// let etcd = Etcd::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"])?;
/// let trust = Trust::Key(TokenKey::new(b"32 bytes or more, and only you know")?);
/// let hold = Duration::from_secs(30);
/// let controller = Controller::take(etcd, "shop-prod".parse()?, trust, "ann", hold).await?;
///
/// let document = Document::from_json(br#"{
///     "name": "lost-reads",
///     "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
///     "aim": { "labels": { "zone": "a" }, "share": 0.1 },
///     "ttl": "10m"
/// }"#)?;
/// let placed = controller.put(&document, Some("does the cache help?")).await?;
/// let answers = controller.wait(&placed, Duration::from_secs(5)).await?;
/// println!("{} have applied it, {} have not", answers.applied.len(), answers.silent.len());
///
/// controller.release().await?;
/// # Ok(())
/// # }
/// ```
pub struct Controller {
    operator: Operator,
    by: String,
    lease: i64,
    view: watch::Receiver<View>,
    ended: watch::Receiver<Option<Ended>>,
    /// Dropped, it ends the task.
    release: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Controller {
    /// The hold that is right for an etcd of three members: longer than the election of a leader, with all that goes with it.
    pub const USUAL_HOLD: Duration = hold_range::USUAL;
    /// The shortest hold.
    pub const SHORTEST_HOLD: Duration = hold_range::SHORTEST;
    /// The longest hold.
    pub const LONGEST_HOLD: Duration = hold_range::LONGEST;

    /// Takes hold of a fleet, as `by`.
    ///
    /// `hold` is from 5 seconds to 5 minutes, and 30 seconds usually: that long, the documents outlive the controller, and
    /// the controller outlives etcd. Replicas have a hold of their own.
    ///
    /// # Errors
    /// Returns [`FleetError::Held`] if there is a controller already, and another error if the hold is out of its range, or
    /// etcd cannot be used.
    ///
    /// # Panics
    /// Panics outside of a runtime of tokio.
    pub async fn take(
        etcd: Etcd,
        fleet: Name,
        trust: Trust,
        by: &str,
        hold: Duration,
    ) -> Result<Self, FleetError> {
        hold_range::check(hold)?;
        let operator = Operator::new(etcd, fleet).trusting(trust);
        let shared = Arc::clone(&operator.shared);
        let asked = shared.clock.now();
        let grant = shared
            .line
            .ask(|session| async move { session.grant(hold).await });
        let lease = grant.await.map_err(FleetError::Store)?;
        let hold = Hold::new(Arc::clone(&shared), lease, hold, asked);
        if let Err(error) = take(&operator, lease, by).await {
            // The lease ends by itself, too.
            let _ = revoke(&operator, lease).await;
            return Err(error);
        }
        let view = hold.view.subscribe();
        let (ends, ended) = watch::channel(None);
        let (release, released) = oneshot::channel();
        let revoking = operator.clone();
        let task = tokio::spawn(async move {
            let end = tokio::select! {
                biased;
                // A controller that is dropped is released, too.
                _ = released => Ended::Released,
                end = hold.hold() => end,
            };
            let is_lost = matches!(end, Ended::Lost);
            // Whoever waits for the end of a document hears of it before etcd does.
            drop(hold);
            ends.send_replace(Some(end));
            match is_lost {
                true => Ok(()),
                false => revoke(&revoking, lease).await,
            }
        });
        Ok(Self {
            operator,
            by: by.to_owned(),
            lease,
            view,
            ended,
            release,
            task,
        })
    }

    /// Returns the operator of the same fleet, over the same session.
    #[must_use]
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Puts a document, in place of one of its name, and forgets who has stopped that. It ends with this controller, unless
    /// its leash is `never`.
    ///
    /// # Errors
    /// Returns [`FleetError::Over`] if the controller is over, and another error if the document is too large, or etcd
    /// cannot be used. After an error of etcd it may be there nevertheless.
    pub async fn put(
        &self,
        document: &Document,
        reason: Option<&str>,
    ) -> Result<Placed, FleetError> {
        self.goes_on()?;
        put(&self.operator, &self.by, self.lease, document, reason).await
    }

    /// Returns an error if the controller is over. etcd may have its lease nevertheless, until it is revoked.
    fn goes_on(&self) -> Result<(), FleetError> {
        match &*self.ended.borrow() {
            Some(ended) => Err(FleetError::Over(ended.clone())),
            None => Ok(()),
        }
    }

    /// Removes a document, whoever has put it, and returns whether there was one.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn remove(&self, name: &Name) -> Result<bool, FleetError> {
        self.operator.remove(name).await
    }

    /// Waits until each registered replica has answered to a document, for at most `patience`, and returns their answers.
    ///
    /// # Errors
    /// Returns [`FleetError::Gone`] if the document is over, [`FleetError::Over`] if the controller is, and another error if
    /// etcd cannot be used.
    pub async fn wait(&self, placed: &Placed, patience: Duration) -> Result<Answers, FleetError> {
        let Placed { name, revision, .. } = placed;
        let view = self.view.clone();
        tokio::select! {
            biased;
            ended = self.ended() => Err(FleetError::Over(ended)),
            answers = self.operator.answers(view, name, *revision, patience) => answers,
        }
    }

    /// Waits until a document is over, and returns why. That its `ttl` is over is for each replica, and is not seen here.
    ///
    /// Cancel safe.
    pub async fn over(&self, placed: &Placed) -> DocumentEnd {
        let Placed {
            name,
            revision,
            breaches,
            ..
        } = placed;
        let mut view = self.view.clone();
        let seen = view.wait_for(|view| {
            view.revision >= *revision
                && (view.halt.is_some()
                    || !view.has(name, *revision)
                    || view.stops_at(name, *revision).len() >= *breaches)
        });
        let end = seen.await.ok();
        let end = end.and_then(|view| DocumentEnd::of(&view, placed, self.lease));
        match end {
            Some(end) => end,
            None => DocumentEnd::Ended(self.ended().await),
        }
    }

    /// Waits until the controller is over, and returns why.
    ///
    /// Cancel safe.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(Option::is_some).await;
        let end = end.ok().and_then(|end| end.clone());
        end.unwrap_or(Ended::Cancelled)
    }

    /// Ends the lease, and with it the documents, and waits until etcd has done so.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used: the documents then end with the lease, after one hold at most.
    pub async fn release(self) -> Result<(), FleetError> {
        // It may be over already.
        let _ = self.release.send(());
        match self.task.await {
            Ok(released) => released.map_err(FleetError::Store),
            Err(_) => Err(FleetError::Over(Ended::Cancelled)),
        }
    }
}

/// Puts a document on a lease, or on nothing if its leash says so.
async fn put(
    operator: &Operator,
    by: &str,
    lease: i64,
    document: &Document,
    reason: Option<&str>,
) -> Result<Placed, FleetError> {
    let ground = match document.leash() {
        LeashKind::Controller => Ground::Lease(lease),
        LeashKind::Never => Ground::Nothing,
    };
    match operator.place(document, by, reason, ground).await {
        Err(FleetError::Store(StoreError::LeaseLost { .. })) => Err(FleetError::Over(Ended::Lost)),
        placed => placed,
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("operator", &self.operator)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}
