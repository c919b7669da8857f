//! Reading files that not every user of the machine may read or write.

use std::{
    error::Error,
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use chaos_core::OneLine;
use zeroize::Zeroizing;

/// What a file contains, which decides what its mode may allow every user to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Secrecy {
    /// Others may neither read nor write it. It has at most 64 KiB.
    Secret,
    /// Others may read it, and not write it. It has at most 1 MiB.
    #[cfg_attr(
        not(all(feature = "follow", feature = "tls")),
        expect(dead_code, reason = "certificates are such files")
    )]
    Public,
}

/// Reads the regular file at `path`, following symbolic links.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let refuse = |problem| PrivateFileError {
        path: path.to_owned(),
        problem,
        cause: None,
    };
    let failed = |error| PrivateFileError {
        cause: Some(error),
        ..refuse("the file cannot be read")
    };
    // The type is checked before the file is opened, because opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(refuse(
            "the path is not a regular file; allowed: a regular file",
        ));
    }
    let mut file = File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // The opened file is asked, because the path may lead to another file by now.
        let mode = file.metadata().map_err(failed)?.mode();
        match secrecy {
            Secrecy::Secret if mode & 0o006 != 0 => {
                return Err(refuse(
                    "every user of this machine may read or write the file; allowed: mode 0600",
                ));
            }
            Secrecy::Public if mode & 0o002 != 0 => {
                return Err(refuse(
                    "every user of this machine may write the file; allowed: mode 0644",
                ));
            }
            Secrecy::Secret | Secrecy::Public => {}
        }
    }
    let (most, too_large) = match secrecy {
        Secrecy::Secret => (64 * 1024, "the file is larger than 64 KiB"),
        Secrecy::Public => (1024 * 1024, "the file is larger than 1 MiB"),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    if secrecy == Secrecy::Secret {
        // With the full capacity from the start, the buffer is never reallocated, which would leave a copy
        // of its contents in memory.
        bytes.reserve_exact(most + 1);
    }
    let mut file = (&mut file).take(most as u64 + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(refuse(too_large));
    }
    Ok(bytes)
}

/// The reason why a file was not read.
#[derive(Debug)]
pub(crate) struct PrivateFileError {
    path: PathBuf,
    pub(crate) problem: &'static str,
    pub(crate) cause: Option<io::Error>,
}

impl fmt::Display for PrivateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        write!(f, "{}: {}", OneLine(&path), self.problem)
    }
}

impl Error for PrivateFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
