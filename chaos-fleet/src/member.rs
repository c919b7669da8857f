//! The half of a fleet that is in every replica: it follows the documents, and ends them when the controller is silent.

mod beats;
mod follower;
mod in_force;
mod limits;
mod session;
mod status;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use chaos_core::{Clock, Injector};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

pub use self::status::MemberStatus;
use crate::{
    document::sealed::Trust,
    error::{Refusal, StoreError},
    hold_range,
    keys::Keys,
    member::{follower::Follower, status::Condition},
    name::Name,
    replica::Replica,
    store::Etcd,
};

/// A fleet, and how a replica takes part in it.
///
/// ```no_run
/// use std::time::Duration;
///
/// use chaos_core::{Injector, token::TokenKey};
/// use chaos_fleet::{Etcd, Fleet, Replica, Trust};
///
/// # async fn join() -> Result<(), Box<dyn std::error::Error>> {
/// let injector = Injector::new();
/// let etcd = Etcd::new(["http://127.0.0.1:2379"])?;
/// let replica = Replica::new("shop-7f9c".parse()?).label("zone", "a")?;
/// let trust = Trust::Key(TokenKey::new(b"32 bytes or more, and only you know")?);
/// let member = Fleet::etcd(etcd, "shop-prod".parse()?, replica, trust)
///     .hold(Duration::from_secs(30))
///     .join(&injector)?;
/// // Faults that are aimed at the fleet now happen here too, until `member` is dropped.
/// # drop(member);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fleet does nothing until it is joined"]
pub struct Fleet {
    etcd: Etcd,
    name: Name,
    replica: Replica,
    trust: Trust,
    hold: Duration,
}

impl Fleet {
    /// Names a fleet in an etcd, the replica that takes part in it, and whose documents it takes: those that a key has
    /// signed, or, with [`Trust::Store`], all: whoever may write to etcd may then inject faults here. Nothing is connected yet.
    pub fn etcd(etcd: Etcd, name: Name, replica: Replica, trust: Trust) -> Self {
        Self {
            etcd,
            name,
            replica,
            trust,
            hold: hold_range::USUAL,
        }
    }

    /// Sets how long rules go on after the last sign of life of their controller, from 5 seconds to 5 minutes: 30 seconds
    /// unless it is set. It must be longer than etcd needs for the election of a leader, or faults end whenever a member of
    /// etcd is restarted.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Takes part in the fleet, from a task on the current runtime of tokio, until the member is dropped. While etcd cannot
    /// be reached, the application goes on without it.
    ///
    /// # Errors
    /// Returns an error if the hold is out of its range, or there is no runtime.
    pub fn join(self, injector: &Injector) -> Result<Member, Refusal> {
        hold_range::check(self.hold)?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| Refusal::new("", error, "a call of `join` on a runtime of tokio"))?;
        let shared = Arc::new(Membership {
            keys: Keys::of(&self.name),
            follower: Mutex::new(Follower::new(
                injector,
                self.name,
                self.replica,
                self.trust,
                self.hold,
            )),
            etcd: self.etcd,
            hold: self.hold,
            changed: Notify::new(),
            limited: Notify::new(),
            condition: Mutex::new(Condition::new()),
            leases: Mutex::default(),
        });
        let task = runtime.spawn(run(Arc::clone(&shared)));
        Ok(Member { shared, task })
    }
}

/// A replica's part in a fleet. Dropping it ends the fleet's rules here at once, and the fleet's halt; the other replicas
/// learn of it within a hold.
#[derive(Debug)]
#[must_use = "the rules of the fleet end when this is dropped"]
pub struct Member {
    shared: Arc<Membership>,
    task: JoinHandle<()>,
}

impl Member {
    /// Returns how the replica stands in the fleet.
    #[must_use]
    pub fn status(&self) -> MemberStatus {
        self.shared.status()
    }

    /// Returns a handle to the status, which can be read after the member was moved.
    #[must_use]
    pub fn handle(&self) -> MemberHandle {
        MemberHandle(Arc::clone(&self.shared))
    }
}

impl Member {
    /// Leaves the fleet as a drop does, and waits until etcd has forgotten this replica, so that another may have its id and
    /// nobody waits for its reports.
    ///
    /// Cancel safe: dropping the future is dropping the member.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used. It then forgets the replica within a hold.
    pub async fn leave(self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        drop(self);
        let leases = std::mem::take(&mut *shared.leases());
        let session = shared.etcd.session(0, Duration::from_secs(3)).await?;
        for lease in leases {
            session.revoke(lease).await?;
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.follower().leave();
    }
}

/// A handle to the status of a [`Member`].
#[derive(Clone, Debug)]
pub struct MemberHandle(Arc<Membership>);

impl MemberHandle {
    /// Returns how the replica stands in the fleet.
    #[must_use]
    pub fn status(&self) -> MemberStatus {
        self.0.status()
    }

    /// Returns what is wrong at the moment, in one line: etcd that cannot be used, or documents that are refused. Give it
    /// to the admin port as a source of rules.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.status().problem()
    }
}

/// What the member and its task share.
#[derive(Debug)]
struct Membership {
    etcd: Etcd,
    keys: Keys,
    hold: Duration,
    follower: Mutex<Follower>,
    /// Notified when the report may have changed.
    changed: Notify,
    /// Notified when there may be a limit of the fleet.
    limited: Notify,
    condition: Mutex<Condition>,
    /// The leases of this member on which its report may hang.
    leases: Mutex<Vec<i64>>,
}

impl Membership {
    fn follower(&self) -> MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, Vec<i64>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that documents, or what has become of them, have changed.
    fn changed(&self) {
        self.changed.notify_one();
        self.limited.notify_one();
    }

    /// Returns the report as it is put into etcd.
    fn report(&self) -> Vec<u8> {
        self.follower().report().0.to_json()
    }

    fn status(&self) -> MemberStatus {
        let condition = self.condition().clone();
        MemberStatus::of(condition, self.follower().report())
    }
}

/// Follows the fleet through one session after the other.
async fn run(shared: Arc<Membership>) {
    let clock = Clock::monotonic();
    let waits = || {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(Duration::from_millis(100))
            // A session that comes back late is what makes replicas fall idle.
            .with_max_delay(shared.hold / 6)
            .without_max_times()
            .build()
    };
    let (mut wait, mut session) = (waits(), 0);
    loop {
        let began = clock.now();
        let error = session::follow(&shared, session).await;
        tracing::debug!(target: "chaos", error = &error as &dyn std::error::Error, "the fleet is not followed");
        shared.condition().failed(&error, shared.follower().wall());
        session += 1;
        if clock.now() - began > shared.hold {
            wait = waits();
        }
        sleep(wait.next().unwrap_or(shared.hold / 6)).await;
    }
}
