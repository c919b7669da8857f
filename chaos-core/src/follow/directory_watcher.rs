//! Notifications of the system about changes in the directories of some paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
    time::SystemTime,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

/// The limit of Linux on the symbolic links of a path, after which it is considered a loop.
const MOST_LINKS: usize = 40;

/// Watches the directories that decide which files are at some paths: the directory of each file,
/// and those of the symbolic links on the way.
///
/// Directories are watched instead of files because replacing a file makes the path lead to
/// another one. A mounted Kubernetes ConfigMap, for example, is a link to a link in the same
/// directory, `..data`, which is replaced on each update.
#[derive(Debug)]
pub struct DirectoryWatcher {
    wake: SyncSender<()>,
    /// `None` until the system provides one.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    names: PathNames,
}

/// The names that the paths are resolved by. A change of another name in a watched directory is
/// ignored.
type PathNames = Arc<Mutex<BTreeSet<OsString>>>;

/// What distinguishes a directory from another one that replaced it: its device and inode, and when
/// it was created, since a file system may use an inode again.
type Identity = ((u64, u64), Option<SystemTime>);

impl DirectoryWatcher {
    /// Creates a watcher that sends a message into `wake` after each change that may concern the paths, if
    /// none is waiting there; a capacity of one message is enough. It watches nothing yet.
    #[must_use]
    pub fn new(wake: SyncSender<()>) -> Self {
        Self {
            wake,
            watcher: None,
            watched: BTreeMap::new(),
            names: PathNames::default(),
        }
    }

    /// Watches the directories that `paths` lead to now, and no longer watches others. A directory
    /// that was replaced by another of the same name is watched anew. Sends a message if a directory
    /// was not watched before. Returns whether all of the directories are watched.
    pub fn follow(&mut self, paths: &[PathBuf]) -> bool {
        let mut way = Way::default();
        for path in paths {
            way.add(path);
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = way.names;
        if self.watcher.is_none() {
            self.watcher = watcher(self.wake.clone(), Arc::clone(&self.names));
        }
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        let identified = |directory: PathBuf| {
            let identity = identity(&directory);
            (directory, identity)
        };
        let wanted: BTreeMap<_, _> = way.directories.into_iter().map(identified).collect();
        self.watched.retain(|directory, identity| {
            let is_same = wanted.get(directory) == Some(&Some(*identity));
            if !is_same {
                // Unwatching fails if the directory no longer exists, which needs no handling.
                let _ = watcher.unwatch(directory);
            }
            is_same
        });
        let (mut are_watched, mut is_new) = (!wanted.is_empty(), false);
        for (directory, identity) in wanted {
            if self.watched.contains_key(&directory) {
                continue;
            }
            let watched = watcher.watch(&directory, RecursiveMode::NonRecursive);
            match identity.filter(|_| watched.is_ok()) {
                Some(identity) => {
                    self.watched.insert(directory, identity);
                    is_new = true;
                }
                None => are_watched = false,
            }
        }
        // A path may have come to lead elsewhere before these directories were watched.
        let _ = is_new.then(|| self.wake.try_send(()));
        are_watched
    }
}

/// Returns a watcher of the system, or `None` if there is none, or none left.
fn watcher(wake: SyncSender<()>, names: PathNames) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_change = event.map_or(true, |event| {
            is_change(event.kind) && concerns(&event.paths, &names)
        });
        // Sending fails while a message is waiting and while the thread ends, which needs no
        // handling.
        let _ = is_change.then(|| wake.try_send(()));
    });
    let watcher = watcher.inspect_err(|error| {
        tracing::debug!(target: "chaos", %error, "the system cannot notify of changed files");
    });
    watcher.ok()
}

/// Returns the identity of a directory, or `None` if there is no directory.
fn identity(directory: &Path) -> Option<Identity> {
    let metadata = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
    #[cfg(unix)]
    let inode = {
        use std::os::unix::fs::MetadataExt;
        (metadata.dev(), metadata.ino())
    };
    #[cfg(not(unix))]
    let inode = (0, 0);
    Some((inode, metadata.created().ok()))
}

/// Returns whether one of the paths has one of the names. Events without a path, such as those
/// about lost events, may concern all of them.
fn concerns(paths: &[PathBuf], names: &PathNames) -> bool {
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let is_one = |path: &PathBuf| path.file_name().is_none_or(|name| names.contains(name));
    paths.is_empty() || paths.iter().any(is_one)
}

/// The way by which paths are resolved.
#[derive(Default)]
struct Way {
    /// Each name that is looked up: the paths' own components, and those of the symbolic links.
    names: BTreeSet<OsString>,
    /// The directory of each file, or the nearest one that exists, and those of the symbolic links.
    /// Links in the root directory, such as `/var` on macOS, are left out: they do not change, and
    /// some systems can only watch all below a directory.
    directories: BTreeSet<PathBuf>,
}

impl Way {
    fn add(&mut self, path: &Path) {
        let Self { names, directories } = self;
        let reversed = |path: &Path| -> Vec<PathBuf> {
            let components = path.components().rev();
            components.map(|part| part.as_os_str().into()).collect()
        };
        let (mut at, mut left, mut links) = (PathBuf::new(), reversed(path), 0);
        while let Some(part) = left.pop() {
            match part.components().next() {
                Some(Component::Normal(name)) => {
                    names.insert(name.to_owned());
                    let target = fs::read_link(at.join(name)).ok();
                    if let Some(target) = target.filter(|_| links < MOST_LINKS) {
                        links += 1;
                        if at.parent().is_some() || left.is_empty() {
                            directories.insert(at.clone());
                        }
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
        let mut above = at.ancestors().skip(1);
        directories.extend(above.find(|above| above.is_dir()).map(Path::to_owned));
    }
}

/// Returns whether a file may have changed. Reading a file causes events as well, which must not
/// cause another read.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
