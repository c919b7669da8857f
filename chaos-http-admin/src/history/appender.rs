//! A file that ends in a whole line, whatever a crash or a full disk did to the last one.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::de::IgnoredAny;

/// Lines of JSON, added at the end.
#[derive(Debug)]
pub(crate) struct Appender {
    path: PathBuf,
    file: File,
    /// What is no file, such as a pipe, has no end to be put right.
    is_file: bool,
    /// Where a line begins that could neither be finished nor taken back yet.
    partial_line_at: Option<u64>,
}

impl Appender {
    /// No line of ours is longer: it is where the search for the last line's start ends.
    const MAX_LINE: u64 = 64 * 1024 * 1024;

    /// Opens a file, makes it if there is none, and puts its last line right.
    ///
    /// A last line without an end gets one if it is whole, and is cut off otherwise. One that cannot
    /// be the beginning of an object is somebody else's, and the file is left alone.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        lock(&file)?;
        let is_file = file.metadata()?.is_file();
        if is_file {
            repair_last_line(&mut file, path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            is_file,
            partial_line_at: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path again if it leads to another file by now: logs are rotated.
    pub(crate) fn reopen_if_rotated(&mut self) -> io::Result<()> {
        if is_same_file(&self.path, &self.file) {
            return Ok(());
        }
        *self = Self::open(&self.path)?;
        Ok(())
    }

    /// Adds a line, which ends as lines do: in one write, unless the system cuts that short. After an
    /// error, there is nothing of it in the file, or there will not be before the next one.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.remove_partial_line()?;
        if !self.is_file {
            return self.file.write_all(line);
        }
        let start = self.file.metadata()?.len();
        self.file.write_all(line).inspect_err(|_| {
            self.partial_line_at = Some(start);
            // If this fails as well, it is tried again before the next line.
            let _ = self.remove_partial_line();
        })
    }

    /// Waits until what was added is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.is_file {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    fn remove_partial_line(&mut self) -> io::Result<()> {
        if let Some(start) = self.partial_line_at {
            self.file.set_len(start)?;
            self.partial_line_at = None;
        }
        Ok(())
    }
}

fn repair_last_line(file: &mut File, path: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    let start = last_line(file, length)?;
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.read_to_end(&mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    if serde_json::from_slice::<IgnoredAny>(&line).is_ok() {
        return file.write_all(b"\n");
    }
    // After a power failure, a file system may show zeros for what it had not written yet.
    if !matches!(line[0], b'{' | 0) {
        let problem = "its last line is not the beginning of an entry: is it another's file?";
        return Err(io::Error::new(ErrorKind::InvalidData, problem));
    }
    file.set_len(start)?;
    let (path, bytes) = (path.display(), length - start);
    tracing::warn!(target: "chaos", %path, bytes, "a torn last line was cut off the audit file");
    Ok(())
}

/// Where the last line begins: the end of the file, if that is well.
fn last_line(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 && length - end < Appender::MAX_LINE {
        let start = end.saturating_sub(STEP);
        let mut part = vec![0; usize::try_from(end - start).unwrap_or_default()];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    match end {
        0 => Ok(0),
        _ => Err(io::Error::new(
            ErrorKind::InvalidData,
            "its last line has no beginning",
        )),
    }
}

/// Two writers would cut off each other's lines.
#[cfg(unix)]
fn lock(file: &File) -> io::Result<()> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };

    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::Error::new(
            ErrorKind::WouldBlock,
            "another writer has this file open",
        )),
        // Some network file systems have no locks.
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_same_file(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;

    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (path.metadata(), file.metadata()) {
        (Ok(there), Ok(here)) => place(there) == place(here),
        (Err(error), _) => error.kind() != ErrorKind::NotFound,
        (_, Err(_)) => true,
    }
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &File) -> bool {
    true
}
