//! What the system tells of changes: which directories are watched for one path.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

/// What the thread that reads a file is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Something near the file has changed.
    Look,
    Stop,
}

/// Watches the directory that a path names and, where it is a link, the one that it leads to.
///
/// A directory and not the file: what replaces a file is another file, and a mounted ConfigMap is a
/// link to a link in the same directory, `..data`, which is put in the place of the one before.
#[derive(Debug)]
pub(crate) struct Follower {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Follower {
    pub(crate) fn new(told: Sender<Told>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_change = event.map_or(true, |event| is_change(event.kind));
            // Nobody reads it any more while the thread ends.
            let _ = is_change.then(|| told.send(Told::Look));
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::debug!(target: "chaos", %error, "changes of files are not told of");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
        }
    }

    /// Watches what `path` leads to now; `anew`, even where it is watched already: the directory may
    /// be another of the same name. Returns whether all of it is watched.
    pub(crate) fn follow(&mut self, path: &Path, anew: bool) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        let target = fs::canonicalize(path).ok();
        let directories = [path.parent(), target.as_deref().and_then(Path::parent)];
        let wanted: BTreeSet<_> = directories
            .into_iter()
            .flatten()
            .map(Path::to_owned)
            .collect();
        for gone in self
            .watched
            .iter()
            .filter(|old| anew || !wanted.contains(*old))
        {
            // It may be gone already.
            let _ = watcher.unwatch(gone);
        }
        if anew {
            self.watched.clear();
        }
        let watch = |directory: &&PathBuf| {
            self.watched.contains(*directory)
                || watcher
                    .watch(directory, RecursiveMode::NonRecursive)
                    .is_ok()
        };
        let watched = wanted.iter().filter(watch).cloned().collect();
        self.watched = watched;
        self.watched.len() == wanted.len() && !wanted.is_empty()
    }
}

/// Looking at a file is told of, too, and must not lead to another look.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
