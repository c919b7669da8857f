//! The file of an access token.

use std::{fs, path::Path};

use crate::{
    config::{shown, unreadable},
    failure::Failure,
};

/// Returns the token in a file, without the white space around it. Only its owner and group may read it.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| unreadable(path, &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    // Opening a pipe would wait for its other end.
    if !metadata.is_file() {
        let failure = Failure::usage("the path is not a regular file");
        return Err(failure.at(shown(path), "a regular file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if metadata.mode() & 0o006 != 0 {
            let failure = Failure::usage("every user of this machine may read or write the file");
            return Err(failure.at(shown(path), "mode 0600"));
        }
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    match text.trim() {
        "" => Err(Failure::usage("the file is empty").at(shown(path), "a token")),
        token => Ok(token.to_owned()),
    }
}
