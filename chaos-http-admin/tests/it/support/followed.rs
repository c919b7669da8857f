//! Files that the port follows.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use chaos_core::{
    Injector,
    audit::{Action, Entry},
};
use tokio::time::{sleep, timeout};

/// The time within which a change takes effect if the system notifies of it. Without that, files are read every five
/// seconds.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Puts a file in the place of another, as careful writers do.
pub(crate) fn replace(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&new, path).unwrap();
}

/// The entries of this action that are by files: not those of the clients that a test has refused.
pub(crate) fn of_files(injector: &Injector, action: Action) -> Vec<std::sync::Arc<Entry>> {
    let entries = injector.audit().after(0).entries.into_iter();
    let entries = entries.filter(|it| it.action == action && it.actor.name().starts_with("file:"));
    entries.collect()
}

/// Waits until there are so many entries of this action, and returns the text of each.
pub(crate) async fn told(injector: &Injector, action: Action, count: usize) -> Vec<String> {
    let of_action = || of_files(injector, action);
    let enough = async {
        while of_action().len() < count {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, enough).await.expect("an entry in time");
    // A second one for the same would be here by the time that the file has been looked at again.
    sleep(Duration::from_millis(250)).await;
    let text = |entry: &Entry| entry.what.as_deref().unwrap_or_default().to_owned();
    let entries: Vec<_> = of_action().iter().map(|entry| text(entry)).collect();
    assert_eq!(entries.len(), count, "{entries:?}");
    entries
}
