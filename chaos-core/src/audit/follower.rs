//! `AuditFollower`: a reader that must not miss an entry, and reports its progress.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A reader of an [`Audit`](super::Audit) that must not miss an entry, such as a file.
///
/// [`Audit::follow`](super::Audit::follow) makes it. The audit keeps the entries that it has not
/// [seen](Self::seen), as long as they are among the last [`MOST`](super::Audit::MOST) and the rules that the audit keeps
/// alive take less than about 256 MiB of memory. Dropping this ends that.
#[derive(Debug)]
pub struct AuditFollower {
    seen: Arc<AtomicU64>,
}

impl AuditFollower {
    /// Records that the entries up to the id `id` were processed, so that the audit may drop them.
    pub fn seen(&self, id: u64) {
        self.seen.store(id, Relaxed);
    }
}

/// The followers of one audit.
#[derive(Debug, Default)]
pub(super) struct Followers(Vec<Weak<AtomicU64>>);

impl Followers {
    /// Adds a follower that has seen the entries up to the id `id`.
    pub(super) fn add(&mut self, id: u64) -> AuditFollower {
        let seen = Arc::new(AtomicU64::new(id));
        self.0.retain(|follower| follower.strong_count() > 0);
        self.0.push(Arc::downgrade(&seen));
        AuditFollower { seen }
    }

    /// Returns the id up to which all followers have seen the entries.
    pub(super) fn seen_by_all(&self) -> u64 {
        let seen = self.0.iter().filter_map(Weak::upgrade);
        seen.map(|seen| seen.load(Relaxed))
            .min()
            .unwrap_or(u64::MAX)
    }
}
