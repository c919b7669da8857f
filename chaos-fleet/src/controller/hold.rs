//! Holds a fleet: keeps the lease alive, beats, and takes away what replicas have stopped.

use std::{
    convert::Infallible,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chaos_core::Clock;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    controller::{
        ending::Ended,
        follow::{PAUSE, follow},
        operator::Shared,
        status::peek,
        view::View,
    },
    error::StoreError,
    name::Name,
    store::session::Session,
};

/// A lease that is held.
pub(super) struct Hold {
    pub(super) shared: Arc<Shared>,
    pub(super) lease: i64,
    /// How long the lease lives without being kept alive.
    pub(super) length: Duration,
    pub(super) view: watch::Sender<View>,
    /// Until when the lease lives at least, in milliseconds of the clock.
    until: AtomicU64,
}

impl Hold {
    /// The longest time between two beats.
    const BEAT: Duration = Duration::from_secs(2);
    /// The time from the first beat of a session to the second.
    const SECOND_BEAT: Duration = Duration::from_millis(100);
    /// The longest time that etcd may take to answer.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Takes a lease that was asked for at the time `asked`.
    pub(super) fn new(shared: Arc<Shared>, lease: i64, length: Duration, asked: Duration) -> Self {
        let hold = Self {
            shared,
            lease,
            length,
            view: watch::Sender::new(View::default()),
            until: AtomicU64::new(0),
        };
        hold.lives_from(asked);
        hold
    }

    fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    fn warn(&self, error: &StoreError, what: &str) {
        let (fleet, error) = (&self.shared.fleet, error as &dyn std::error::Error);
        tracing::warn!(%fleet, error, "{what}");
    }

    fn lives_from(&self, asked: Duration) {
        let until = u64::try_from((asked + self.length).as_millis()).unwrap_or(u64::MAX);
        // One task writes and reads it.
        self.until.store(until, Ordering::Relaxed);
    }

    /// Holds the fleet until that is over.
    pub(super) async fn hold(&self) -> Ended {
        tokio::select! {
            ended = self.keep() => ended,
            ended = self.guard() => ended,
            never = self.follow() => match never {},
        }
    }

    /// Keeps the lease alive and beats, over as many sessions as it takes.
    async fn keep(&self) -> Ended {
        let mut last = None;
        loop {
            let session = self.shared.line.session();
            let error = tokio::select! {
                biased;
                () = self.fence() => break,
                session = session => match session {
                    Ok((nth, session)) => {
                        let error = tokio::select! {
                            biased;
                            () = self.fence() => break,
                            error = self.extend(&session) => error,
                            error = self.beat(&session) => error,
                        };
                        self.shared.line.leave(nth).await;
                        error
                    }
                    Err(error) => error,
                },
            };
            if let StoreError::LeaseLost { .. } = error {
                return Ended::Lost;
            }
            self.warn(&error, "the session of the controller has ended");
            last = Some(error);
            sleep(PAUSE).await;
        }
        Ended::Unreachable(Arc::new(last.unwrap_or_else(|| self.shared.line.silent())))
    }

    /// Waits until the lease may be over.
    async fn fence(&self) {
        loop {
            let until = Duration::from_millis(self.until.load(Ordering::Relaxed));
            match until.checked_sub(self.clock().now()) {
                None | Some(Duration::ZERO) => return,
                Some(left) => sleep(left).await,
            }
        }
    }

    /// Returns how long etcd may take to answer: the rest of the lease is for another endpoint.
    fn patience(&self) -> Duration {
        (self.length / 4).min(Self::PATIENCE)
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match timeout(self.patience(), asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.line.silent()),
        }
    }

    /// Keeps the lease alive until that fails.
    async fn extend(&self, session: &Session) -> StoreError {
        let asked = self.clock().now();
        let mut keeper = match self.in_time(session.keeper(self.lease)).await {
            Ok(keeper) => keeper,
            Err(error) => return error,
        };
        self.lives_from(asked);
        loop {
            sleep(self.length / 3).await;
            let asked = self.clock().now();
            if let Err(error) = self.in_time(keeper.keep()).await {
                return error;
            }
            self.lives_from(asked);
        }
    }

    /// Beats until that fails.
    async fn beat(&self, session: &Session) -> StoreError {
        let key = self.shared.keys.beat();
        let usual = (self.length / 5).min(Self::BEAT);
        // Replicas that have not heard of this controller believe the second beat.
        let mut pause = Self::SECOND_BEAT;
        loop {
            // Each beat is another value; what it is does not matter.
            let beat = self.clock().now().as_millis().to_string();
            let put = session.put(&key, beat, Some(self.lease));
            if let Err(error) = self.in_time(put).await {
                return error;
            }
            sleep(mem::replace(&mut pause, usual)).await;
        }
    }

    async fn follow(&self) -> Infallible {
        loop {
            let error = follow(&self.shared.line, &self.shared.keys, &self.view).await;
            // It may be allowed again.
            self.warn(&error, "the fleet cannot be followed");
            sleep(PAUSE).await;
        }
    }

    /// Takes away what replicas have stopped, until the fleet is no longer held on this lease.
    async fn guard(&self) -> Ended {
        let mut view = self.view.subscribe();
        loop {
            let doomed = {
                let view = view.borrow_and_update();
                if view.revision > 0 && view.lease != self.lease {
                    return Ended::Lost;
                }
                self.doomed(&view)
            };
            for (name, revision) in doomed {
                let (line, key) = (&self.shared.line, &self.shared.keys.document(&name));
                let taken =
                    line.ask(|session| async move { session.delete_at(key, revision).await });
                match taken.await {
                    Ok(_) => {
                        let fleet = &self.shared.fleet;
                        tracing::warn!(%fleet, document = %name, "replicas have stopped the document");
                    }
                    // Replicas decide for themselves; what is left here is removed at the next change.
                    Err(error) => self.warn(&error, "a stopped document cannot be removed"),
                }
            }
            // The sender is this one's own.
            let _ = view.changed().await;
        }
    }

    /// Returns the documents that as many replicas want stopped as end them everywhere.
    fn doomed(&self, view: &View) -> Vec<(Name, i64)> {
        let documents = view.documents.iter();
        let doomed = documents.filter(|(name, entry)| {
            let stops = view.stops_at(name, entry.revision).len();
            stops > 0
                && peek(&entry.value, &self.shared.fleet, name)
                    .is_ok_and(|sealed| stops >= sealed.fleet.breaches())
        });
        doomed
            .map(|(name, entry)| (name.clone(), entry.revision))
            .collect()
    }
}
