//! `Places`: how many streams there may be at a time, those of `/v1/events` and of `/v1/live` together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The places of the streams of one [`Admin`](crate::Admin). Clones are handles to the same places.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<PlacesState>);

#[derive(Debug)]
struct PlacesState {
    /// One permit for each further stream.
    free: Arc<Semaphore>,
    /// The owner of each stream that has one.
    owners: Mutex<Vec<Arc<str>>>,
    /// Changes when all streams are to end.
    end: watch::Sender<()>,
}

impl Places {
    /// The number of streams at a time.
    pub(crate) const MOST: usize = 16;
    /// The number of streams of one owner of an access token.
    pub(crate) const MOST_OF_ONE: usize = 4;

    pub(crate) fn new() -> Self {
        Self(Arc::new(PlacesState {
            free: Arc::new(Semaphore::new(Self::MOST)),
            owners: Mutex::default(),
            end: watch::Sender::new(()),
        }))
    }

    /// Takes a place. Returns `None` if [`MOST`](Self::MOST) are taken, or this `owner` has
    /// [`MOST_OF_ONE`](Self::MOST_OF_ONE) of them.
    pub(crate) fn take(&self, owner: Option<Arc<str>>) -> Option<Place> {
        let permit = Arc::clone(&self.0.free).try_acquire_owned().ok()?;
        let mut owners = self.0.owners();
        let of_owner = owners.iter().filter(|it| Some(*it) == owner.as_ref());
        if of_owner.count() >= Self::MOST_OF_ONE {
            return None;
        }
        owners.extend(owner.clone());
        drop(owners);
        Some(Place {
            places: Arc::clone(&self.0),
            end: self.0.end.subscribe(),
            owner,
            _permit: permit,
        })
    }

    /// Ends all streams.
    pub(crate) fn end(&self) {
        self.0.end.send_replace(());
    }

    /// Returns how many places are taken.
    pub(crate) fn taken(&self) -> usize {
        Self::MOST - self.0.free.available_permits()
    }
}

impl PlacesState {
    fn owners(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one stream. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<PlacesState>,
    end: watch::Receiver<()>,
    owner: Option<Arc<str>>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Returns whether all streams were [ended](Places::end) since this one began.
    pub(crate) fn is_ended(&self) -> bool {
        self.end.has_changed().unwrap_or(true)
    }

    /// Waits until all streams are ended.
    pub(crate) async fn ended(&self) {
        let _ = self.end.clone().changed().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut owners = self.places.owners();
        let owner = |it: &Arc<str>| Some(it) == self.owner.as_ref();
        if let Some(at) = owners.iter().position(owner) {
            owners.swap_remove(at);
        }
    }
}
