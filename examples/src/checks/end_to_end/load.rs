//! The load generators, and what they print.

use std::io::Write;

use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::Error;

/// A load generator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// HTTP/1, at the shop.
    Wrk,
    /// gRPC over HTTP/2, at the greeter.
    H2load,
}

/// A gRPC message: not compressed, five bytes long, of which the name `Ada` is the first field.
const HELLO: &[u8] = b"\0\0\0\0\x05\n\x03Ada";

impl Load {
    /// Returns the name of the program that is loaded.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Wrk => "shop",
            Self::H2load => "greeter",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::H2load => "h2load",
        }
    }

    /// Loads a URL for about a second, and returns the number of requests.
    pub(super) async fn run(self, url: &str) -> Result<u64, Error> {
        let mut body = NamedTempFile::new()?;
        body.write_all(HELLO)?;
        let mut command = Command::new(self.name());
        match self {
            Self::Wrk => command.args(["-t1", "-c16", "-d1", url]),
            Self::H2load => command
                .args(["-n", "20000", "-c4", "-m8", "-H", "te: trailers"])
                .args(["-H", "content-type: application/grpc", "-d"])
                .args([body.path().as_os_str(), url.as_ref()]),
        };
        let ended = command.output().await.map_err(|error| {
            let name = self.name();
            format!("{name}: {error}; Debian has it in wrk, or nghttp2-client")
        })?;
        let said = String::from_utf8_lossy(&ended.stdout);
        let requests = match self {
            Self::Wrk => of_wrk(&said),
            Self::H2load => of_h2load(&said),
        };
        requests.ok_or_else(|| format!("{} says of {url}:\n{said}", self.name()).into())
    }
}

/// Returns the number of requests, or `None` if one failed.
fn of_wrk(said: &str) -> Option<u64> {
    let failed = ["Non-2xx", "Socket errors"];
    if failed.iter().any(|failed| said.contains(failed)) {
        return None;
    }
    let line = said.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns the number of requests, or `None` if one failed.
fn of_h2load(said: &str) -> Option<u64> {
    // requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("requests: "))?;
    let count = |word: &str| -> Option<u64> {
        let part = line.split(", ").find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse().ok()
    };
    (count("total")? == count("succeeded")?).then(|| count("total"))?
}
