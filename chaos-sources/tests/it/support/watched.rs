//! A file in a folder of its own, watched for an injector of its own.

use std::{fs, path::PathBuf, sync::mpsc, time::Duration};

use chaos_core::{Clock, Injected, Injector, inject};
use chaos_sources::{FileSource, SourceStatus, Watching};
use tempfile::TempDir;

/// Longer than any machine takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct Watched {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) injector: Injector,
    pub(crate) watching: Watching,
}

/// Rules of these ids, one letter each, in JSON.
pub(crate) fn rules(ids: &str) -> String {
    let rule = |id| format!(r#"{{"id":"{id}","site":"db.{id}","faults":[{{"error":"{id}"}}]}}"#);
    let rules: Vec<_> = ids.chars().map(rule).collect();
    format!(r#"{{"rules":[{}]}}"#, rules.join(",\n"))
}

impl Watched {
    pub(crate) fn new(text: &str) -> Self {
        Self::at(&Injector::new(), "rules.json", text)
    }

    pub(crate) fn at(injector: &Injector, name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Self {
            watching: FileSource::new(&path).watch(injector).unwrap(),
            injector: injector.clone(),
            folder,
            path,
        }
    }

    /// As an editor does that is careful: another file, renamed.
    pub(crate) fn replace(&self, text: impl AsRef<[u8]>) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &self.path).unwrap();
    }

    pub(crate) fn until(&self, is_as: impl Fn(&SourceStatus) -> bool) -> SourceStatus {
        let came = self.watching.handle().wait_until(is_as, LONG);
        let status = self.watching.status();
        assert!(came, "{status:?}");
        status
    }

    /// Waits for a refusal.
    pub(crate) fn refused(&self) -> String {
        self.refused_for("")
    }

    /// Waits for a refusal that says so. On a machine that stops at times, what lies in between two
    /// steps of a test may be seen and refused, too.
    pub(crate) fn refused_for(&self, expected: &str) -> String {
        let said = |status: &SourceStatus| status.error.as_ref().map(ToString::to_string);
        let is_said =
            |status: &SourceStatus| said(status).is_some_and(|said| said.contains(expected));
        said(&self.until(is_said)).unwrap()
    }

    pub(crate) fn until_loaded(&self, rules: usize) -> SourceStatus {
        self.until(|status| status.rules == rules && status.error.is_none())
    }

    pub(crate) fn ids(&self) -> String {
        ids(&self.injector)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.injector.rules().generation()
    }
}

pub(crate) fn ids(injector: &Injector) -> String {
    let rules = injector.rules();
    rules
        .rules()
        .iter()
        .map(|rule| rule.id().as_str())
        .collect()
}

pub(crate) fn wait(time: Duration) {
    mpsc::channel::<()>().1.recv_timeout(time).unwrap_err();
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !is_so() {
        assert!(clock.now() < LONG, "never: {what}");
        wait(Duration::from_millis(5));
    }
}

pub(crate) fn pass(injector: &Injector) -> Result<(), Injected> {
    inject!(injector: injector, "db.a")
}
