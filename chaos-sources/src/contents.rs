//! Reading the bytes of a file.

use std::{fs, io::Read, path::Path};

use crate::{error::SourceError, format::place_of};

/// The size limit of a file. It is more than a person writes by hand, and small enough to be read
/// every few seconds.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// Reads the regular file at `path`, following symbolic links.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let refuse = |problem: String| SourceError::new(&path.display().to_string(), problem);
    let io = |error: std::io::Error| refuse(format!("the file cannot be read: {error}"));
    // The type is checked before the file is opened, because opening a pipe waits for its other
    // end.
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(refuse(
            "the path is a directory; allowed: a regular file".to_owned(),
        ));
    }
    if !metadata.is_file() {
        return Err(refuse(
            "the path is not a regular file; allowed: a regular file".to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    // One byte beyond the limit shows that there is more.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(format!(
            "the file is too large; allowed: at most {} MiB",
            MAX_BYTES >> 20
        )));
    }
    Ok(bytes)
}

/// Decodes the bytes as UTF-8.
pub(crate) fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, SourceError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let place = place_of(&before, before.len());
        SourceError::new(&path.display().to_string(), "the text is not UTF-8").at(Some(place))
    })
}
