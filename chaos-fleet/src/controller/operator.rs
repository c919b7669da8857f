//! `Operator`: reads a fleet, halts it and removes documents. It needs no lease for that.

use std::{fmt, sync::Arc, time::Duration};

use chaos_core::Clock;
use tokio::{sync::watch, time::timeout};

use crate::{
    aim::Aim,
    controller::{
        error::FleetError,
        follow::follow,
        place::{Ground, Placed},
        status::{Answers, FleetStatus},
        view::{View, written},
    },
    document::{Document, LeashKind, sealed::Trust},
    error::{Refusal, StoreError},
    keys::Keys,
    name::Name,
    replica::Replica,
    report::{Halt, Report},
    store::{Etcd, line::Line},
};

/// Looks at a fleet, halts and resumes it, takes documents away, and puts those that need no controller.
///
/// It connects when it is first asked, and moves on to the next endpoint after an error. Each request ends in time: after 5
/// seconds at an endpoint that does not answer.
///
/// Nothing here is cancel safe in the sense that it is undone: what was asked for may have been done when its future is
/// dropped.
///
/// ```no_run
/// use chaos_fleet::{Etcd, Operator};
///
/// # async fn halt() -> Result<(), Box<dyn std::error::Error>> {
/// let etcd = Etcd::new(["http://127.0.0.1:2379"])?;
/// let operator = Operator::new(etcd, "shop-prod".parse()?);
/// operator.halt("ann", Some("errors at the checkout")).await?;
/// assert!(operator.status().await?.halt.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Operator {
    pub(super) shared: Arc<Shared>,
    pub(super) trust: Option<Trust>,
}

pub(super) struct Shared {
    pub(super) line: Line,
    pub(super) fleet: Name,
    pub(super) keys: Keys,
    pub(super) clock: Clock,
}

/// Whom a document would be meant for, among the replicas that are registered.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Preview {
    /// The replicas for which it would be meant, by id.
    pub meant: Vec<Replica>,
    /// The others, by id.
    pub others: Vec<Replica>,
}

impl Operator {
    /// How soon a silent connection is noticed, two seconds more or less.
    const PING: Duration = Duration::from_secs(2);

    /// Names the etcd and the fleet. Nothing is connected yet.
    #[must_use]
    pub fn new(etcd: Etcd, fleet: Name) -> Self {
        let shared = Shared {
            line: Line::new(etcd, Self::PING),
            keys: Keys::of(&fleet),
            fleet,
            clock: Clock::monotonic(),
        };
        Self {
            shared: Arc::new(shared),
            trust: None,
        }
    }

    /// Says how documents are signed. Without it, none is put, and [`status`](Self::status) checks no signature.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Returns what the fleet is doing.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn status(&self) -> Result<FleetStatus, FleetError> {
        let Shared { fleet, clock, .. } = &*self.shared;
        let view = self.view().await?;
        Ok(FleetStatus::of(
            view,
            fleet,
            self.trust.as_ref(),
            clock.wall(),
        ))
    }

    /// Returns the replicas that are registered, by id. Those whose reports are not readable are left out.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn replicas(&self) -> Result<Vec<Report>, FleetError> {
        let keys = &self.shared.keys;
        let listed = (self.shared.line)
            .ask(|session| async move { session.list(&keys.replicas()).await })
            .await
            .map_err(FleetError::Store)?;
        Ok(View::of(keys, listed).replicas.into_values().collect())
    }

    /// Returns whom a document of this name and aim would be meant for. If there is one of this name, who is among its
    /// replicas stays.
    ///
    /// # Errors
    /// Returns an error if the aim is out of its range, or etcd cannot be used.
    pub async fn preview(&self, aim: &Aim, name: &Name) -> Result<Preview, FleetError> {
        aim.check()?;
        let (replicas, decided) = (self.shared.line)
            .ask(|session| async move { self.decide(&session, aim, name).await })
            .await
            .map_err(FleetError::Store)?;
        let (meant, others) =
            (replicas.into_iter()).partition(|replica| decided.is_meant_for(name, replica));
        Ok(Preview { meant, others })
    }

    /// Puts a document that needs no controller, in place of one of its name, and forgets who has stopped that.
    ///
    /// # Errors
    /// Returns an error if the document hangs on a leash, no [`trusting`](Self::trusting) says how it is signed, it is too
    /// large, or etcd cannot be used. After an error of etcd it may be there nevertheless.
    pub async fn put(
        &self,
        document: &Document,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Placed, FleetError> {
        match document.leash() {
            LeashKind::Never => self.place(document, by, reason, Ground::Nothing).await,
            LeashKind::Controller => {
                let problem = "a document that ends with its controller, and no controller";
                Err(Refusal::new("leash", problem, "never, or a controller").into())
            }
        }
    }

    /// Removes a document, whoever has put it, with what says who has stopped it. Returns whether there was one.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn remove(&self, name: &Name) -> Result<bool, FleetError> {
        let keys = &self.shared.keys;
        let removed = (self.shared.line).ask(|session| async move {
            let removed = session.delete(&keys.document(name)).await?;
            session.delete_all(&keys.stops(name)).await?;
            session.delete_all(&keys.limits(name)).await?;
            Ok::<_, StoreError>(removed)
        });
        removed.await.map_err(FleetError::Store)
    }

    /// Halts the fleet: each replica injects nothing until the fleet is resumed, whoever is gone meanwhile.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn halt(&self, by: &str, reason: Option<&str>) -> Result<(), FleetError> {
        let keys = &self.shared.keys;
        let halt = Halt::new(by, reason, self.shared.clock.wall());
        let value = &written(&halt);
        (self.shared.line)
            .ask(|session| async move { session.put(&keys.halt(), value.as_slice(), None).await })
            .await
            .map_err(FleetError::Store)?;
        Ok(())
    }

    /// Resumes the fleet, and returns whether it was halted. A replica that is halted by a person there, or by a guard rail,
    /// stays so.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used.
    pub async fn resume(&self) -> Result<bool, FleetError> {
        let keys = &self.shared.keys;
        (self.shared.line)
            .ask(|session| async move { session.delete(&keys.halt()).await })
            .await
            .map_err(FleetError::Store)
    }

    /// Waits until each registered replica has answered to a revision of a document, for at most `patience`, and returns
    /// their answers.
    ///
    /// # Errors
    /// Returns an error if the document is not there in this revision, or etcd cannot be used.
    pub async fn wait(
        &self,
        name: &Name,
        revision: i64,
        patience: Duration,
    ) -> Result<Answers, FleetError> {
        let (sender, view) = watch::channel(View::default());
        let Shared { line, keys, .. } = &*self.shared;
        tokio::select! {
            biased;
            answers = self.answers(view, name, revision, patience) => answers,
            error = follow(line, keys, &sender) => Err(error.into()),
        }
    }

    /// Waits for answers in what is followed.
    pub(super) async fn answers(
        &self,
        mut view: watch::Receiver<View>,
        name: &Name,
        revision: i64,
        patience: Duration,
    ) -> Result<Answers, FleetError> {
        let settled = view.wait_for(|view| view.is_settled(name, revision));
        // Time that is over is no error: some have not answered.
        let _ = timeout(patience, settled).await;
        if view.borrow().revision >= revision {
            return view.borrow().answers(&self.shared.fleet, name, revision);
        }
        // Asked once more, etcd says what is wrong.
        let view = self.view().await?;
        view.answers(&self.shared.fleet, name, revision)
    }

    /// Lists all that there is.
    async fn view(&self) -> Result<View, FleetError> {
        let keys = &self.shared.keys;
        let listed = (self.shared.line)
            .ask(|session| async move { session.list(keys.all()).await })
            .await
            .map_err(FleetError::Store)?;
        Ok(View::of(keys, listed))
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("fleet", &self.shared.fleet)
            .finish_non_exhaustive()
    }
}
