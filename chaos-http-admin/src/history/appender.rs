//! A file to which whole lines are appended, with a repair of a last line that a crash or a full
//! disk has left incomplete.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use chaos_core::log::log;
use serde::de::IgnoredAny;

/// An append-only file of JSON lines.
#[derive(Debug)]
pub(crate) struct Appender {
    path: PathBuf,
    file: File,
    /// Whether it is a regular file. Others, such as a pipe, have no end to repair.
    is_file: bool,
    /// The offset of a line that was written in part and could not be removed yet.
    partial_line_at: Option<u64>,
    /// The length of the file after the last line was appended.
    length: u64,
}

impl Appender {
    /// The length limit of a line, in bytes: the search for the start of the last line ends there.
    const MAX_LINE: u64 = 64 * 1024 * 1024;

    /// Opens the file, creates it if it does not exist, and repairs its last line.
    ///
    /// A last line without a line feed gets one if it is complete JSON, and is removed otherwise. A
    /// file whose last line cannot be the start of a JSON object was not written by us: it is left
    /// unchanged, and an error is returned.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // Nobody else is to read who did what from where. The mode of a file that is there stays.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let is_file = file.metadata()?.is_file();
        if !is_device(&file)? {
            lock(&file)?;
        }
        if is_file {
            repair_last_line(&mut file, path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            length: file.metadata()?.len(),
            file,
            is_file,
            partial_line_at: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the path leads to another file than the open one, as after a log rotation.
    pub(crate) fn is_rotated(&self) -> bool {
        !is_same_file(&self.path, &self.file)
    }

    /// Opens the path again. After an error, the open file stays.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(&self.path)?;
        Ok(())
    }

    /// Returns whether the file is shorter than it was after the last line: somebody has truncated it.
    /// It returns so until the next line is appended.
    pub(crate) fn is_truncated(&self) -> io::Result<bool> {
        Ok(self.is_file && self.file.metadata()?.len() < self.length)
    }

    /// Appends a line, which must end with a line feed, in one write unless the system splits it.
    /// After an error, no part of the line is in the file, or it is removed before the next line is
    /// appended.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.remove_partial_line()?;
        if !self.is_file {
            return self.file.write_all(line);
        }
        let start = self.file.metadata()?.len();
        self.length = start + line.len() as u64;
        self.file.write_all(line).inspect_err(|_| {
            self.length = start;
            self.partial_line_at = Some(start);
            // If this fails too, the next call to `append` tries it again.
            let _ = self.remove_partial_line();
        })
    }

    /// Waits until the appended lines are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.is_file {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    fn remove_partial_line(&mut self) -> io::Result<()> {
        if let Some(start) = self.partial_line_at {
            // Somebody who has truncated the file has removed the line, and a greater length would fill
            // the file with zeros.
            if start < self.file.metadata()?.len() {
                self.file.set_len(start)?;
            }
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
    // After a power failure, some file systems show zeros for data that was not written.
    if !matches!(line[0], b'{' | 0) {
        let problem = "the last line of the file is not an audit entry";
        return Err(io::Error::new(ErrorKind::InvalidData, problem));
    }
    file.set_len(start)?;
    let (path, bytes) = (path.to_owned(), length - start);
    log(move || {
        let path = path.display();
        tracing::warn!(target: "chaos", %path, bytes, "removed an incomplete last line from the audit file");
    });
    Ok(())
}

/// Returns the offset of the last line, which is the end of the file if the last line is complete.
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
            "the last line of the file is longer than 64 MiB",
        )),
    }
}

/// Locks the file, because two writers would remove each other's lines.
///
/// On Linux, it is a lock that takes the right to write. Whoever may read a file can hold the other kind, and
/// keep the service from starting.
#[cfg(target_os = "linux")]
fn lock(file: &File) -> io::Result<()> {
    use nix::{
        errno::Errno,
        fcntl::{FcntlArg, fcntl},
        libc::{F_WRLCK, SEEK_SET, flock},
    };

    let whole = flock {
        l_type: F_WRLCK as i16,
        l_whence: SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Err(Errno::EAGAIN | Errno::EACCES) => Err(in_use()),
        // Some network file systems do not support locks.
        _ => Ok(()),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn lock(file: &File) -> io::Result<()> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };

    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(in_use()),
        // Some network file systems do not support locks.
        _ => Ok(()),
    }
}

/// Returns whether the file is a device, such as /dev/null, to which many may write.
#[cfg(unix)]
fn is_device(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;

    Ok(file.metadata()?.file_type().is_char_device())
}

#[cfg(not(unix))]
fn is_device(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn in_use() -> io::Error {
    let problem = "another process writes to this file";
    io::Error::new(ErrorKind::WouldBlock, problem)
}

#[cfg(not(unix))]
fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// Returns whether the path leads to this file.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of a line that could not be removed was cut off later by setting the length, which filled a
    /// file that was truncated meanwhile with zeros.
    #[test]
    fn a_truncated_file_begins_with_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut appender = Appender::open(&path).unwrap();
        appender.append(b"{\"a\":1}\n").unwrap();
        appender.partial_line_at = Some(8);
        assert!(!appender.is_truncated().unwrap());
        File::create(&path).unwrap();
        assert!(appender.is_truncated().unwrap());
        appender.append(b"{}\n").unwrap();
        assert!(!appender.is_truncated().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
    }
}
