//! The journal on disk: at any moment a whole one.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::Journal;

/// A journal on disk. Whatever happens to the program, the file is a whole journal: until it is finished one that says
/// `interrupted`, and where the run was.
///
/// On Unix, only its owner may read it (mode 0600): what probes were told may be nobody else's business.
///
/// Each time it is written whole, beside itself, and put in its place at once. One write to the end of the file would not do:
/// the system may cut a write in two where a page ends if the program is killed. What comes of probes and
/// sites is bounded in a journal, so a write costs the same however long the run is.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    journal: Journal,
}

impl JournalFile {
    /// Writes a journal for the first time. A file that is there is replaced.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written. It should be made before anything is injected.
    pub fn create(path: impl Into<PathBuf>, journal: Journal) -> io::Result<Self> {
        let path = path.into();
        let file = Self { path, journal };
        file.write()?;
        Ok(file)
    }

    /// Returns the journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Changes the journal, which is written the next time.
    pub fn change(&mut self, change: impl FnOnce(&mut Journal)) {
        change(&mut self.journal);
    }

    /// Changes the journal and writes it, about once a second.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written: it is then as it was before. The change is kept, and written the next
    /// time.
    pub fn record(&mut self, now: SystemTime, change: impl FnOnce(&mut Journal)) -> io::Result<()> {
        change(&mut self.journal);
        self.journal.ended(now);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let part = part_of(&self.path);
        let mut file = create(&part)?;
        let mut text = serde_json::to_vec(&self.journal)?;
        text.push(b'\n');
        file.write_all(&text)?;
        // Without it, a loss of power could leave an empty file in the place of the last one.
        file.sync_data()?;
        fs::rename(&part, &self.path)
    }
}

/// Creates a file that only its owner may read, as far as the system knows that.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Another program may write the same journal.
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
