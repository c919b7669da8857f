//! Notifications of the system about changes in the directories of one path.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

/// The limit of Linux on the symbolic links of a path, after which it is considered a loop.
const MOST_LINKS: usize = 40;

/// Watches the directory of a path and, if the path is a symbolic link, the directory of its
/// target.
///
/// Directories are watched instead of the file because replacing a file makes the path lead to
/// another one. A mounted Kubernetes ConfigMap, for example, is a link to a link in the same
/// directory, `..data`, which is replaced on each update.
#[derive(Debug)]
pub(crate) struct DirectoryWatcher {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    names: Names,
}

/// The names that the path is resolved by. A change of another name in a watched directory is
/// ignored.
type Names = Arc<Mutex<BTreeSet<OsString>>>;

impl DirectoryWatcher {
    /// Creates a watcher that sends a message after each change that may concern the path, if none
    /// is waiting in the channel. It watches nothing yet.
    pub(crate) fn new(wake: SyncSender<()>) -> Self {
        let names = Names::default();
        let relevant = Arc::clone(&names);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_change = event.map_or(true, |event| {
                is_change(event.kind) && concerns(&event.paths, &relevant)
            });
            // Sending fails while a message is waiting and while the thread ends, which needs no
            // handling.
            let _ = is_change.then(|| wake.try_send(()));
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::debug!(target: "chaos", %error, "the system cannot notify of changed files");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
            names,
        }
    }

    /// Watches the directories that `path` leads to now, and no longer watches others. With `rewatch`,
    /// a directory is watched again even if it is watched already, since it may have been replaced
    /// by another of the same name. Returns whether all of the directories are watched.
    pub(crate) fn follow(&mut self, path: &Path, rewatch: bool) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names_of(path);
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
            .filter(|old| rewatch || !wanted.contains(*old))
        {
            // Unwatching fails if the directory no longer exists, which needs no handling.
            let _ = watcher.unwatch(gone);
        }
        if rewatch {
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

/// Returns whether one of the paths has one of the names. Events without a path, such as those
/// about lost events, may concern all of them.
fn concerns(paths: &[PathBuf], names: &Names) -> bool {
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let is_one = |path: &PathBuf| path.file_name().is_none_or(|name| names.contains(name));
    paths.is_empty() || paths.iter().any(is_one)
}

/// Returns each name that is looked up when `path` is resolved: its own components, and those of
/// the symbolic links on the way.
fn names_of(path: &Path) -> BTreeSet<OsString> {
    let reversed = |path: &Path| -> Vec<PathBuf> {
        let components = path.components().rev();
        components.map(|part| part.as_os_str().into()).collect()
    };
    let (mut names, mut links) = (BTreeSet::new(), 0);
    let (mut at, mut left) = (PathBuf::new(), reversed(path));
    while let Some(part) = left.pop() {
        match part.components().next() {
            Some(Component::Normal(name)) => {
                names.insert(name.to_owned());
                let target = fs::read_link(at.join(name)).ok();
                if let Some(target) = target.filter(|_| links < MOST_LINKS) {
                    links += 1;
                    left.extend(reversed(&target));
                } else {
                    at.push(name);
                }
            }
            Some(Component::ParentDir) => {
                at.pop();
            }
            _ => at.push(part),
        }
    }
    names
}

/// Returns whether a file may have changed. Reading a file causes events as well, which must not
/// cause another read.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
