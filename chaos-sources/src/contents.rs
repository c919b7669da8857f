//! What a path leads to now: some bytes, or why there are none.

use std::{fs, io::Read, path::Path};

use crate::{error::SourceError, format::place_of};

/// More than anyone writes by hand, and little enough to be read over and over.
pub(crate) const MOST: u64 = 4 << 20;

/// Reads a file, through links, if it is one.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let refuse = |problem: String| SourceError::new(&path.display().to_string(), problem);
    let io = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
    // Asked before it is opened: to open a pipe would wait for its other end.
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(refuse("a directory, and no file".to_owned()));
    }
    if !metadata.is_file() {
        return Err(refuse("no plain file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    // One byte more says that there is more.
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MOST {
        return Err(refuse(format!("too large; allowed: {} MiB", MOST >> 20)));
    }
    Ok(bytes)
}

/// The same bytes as text.
pub(crate) fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, SourceError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let place = place_of(&before, before.len());
        SourceError::new(&path.display().to_string(), "no UTF-8").at(Some(place))
    })
}
