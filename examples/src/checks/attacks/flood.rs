//! Requests in plain bytes, on many connections, as fast as they are answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::checks::attacks::report::Report;

/// Requests, where they go, and how many are under way at a time.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    pub(super) to: SocketAddr,
    pub(super) connections: usize,
    /// How many requests are sent at once on a connection.
    pub(super) pipelined: usize,
    /// The requests, which are sent in turn.
    pub(super) requests: Vec<String>,
}

/// Returns a request for `line`, such as `GET /`, with a token and a body in JSON if they are not empty.
pub(super) fn request(line: &str, token: &str, body: &str) -> String {
    let mut head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n");
    if !token.is_empty() {
        head += &format!("Authorization: Bearer {token}\r\n");
    }
    if !body.is_empty() {
        let length = body.len();
        head += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    }
    head + "\r\n" + body
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    flood: Flood,
    next: AtomicUsize,
    report: Mutex<Report>,
}

impl Shared {
    fn next(&self) -> &str {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.flood.requests[next % self.flood.requests.len()]
    }

    fn count(&self, count: impl FnOnce(&mut Report)) {
        count(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Flood {
    /// Sends requests for `time`. A connection that is closed is opened again. With `holds`, there is one
    /// request on each connection, which is read until the other side closes it.
    pub(super) async fn run(self, time: Duration, holds: bool) -> Report {
        let shared = Arc::new(Shared {
            next: AtomicUsize::new(0),
            report: Mutex::default(),
            flood: self,
        });
        let mut connections = JoinSet::new();
        for _ in 0..shared.flood.connections {
            let shared = Arc::clone(&shared);
            connections.spawn(async move {
                loop {
                    if connection(&shared, holds).await.is_err() {
                        // It was refused or cut off.
                        sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
        sleep(time).await;
        connections.shutdown().await;
        let report = shared.report.lock();
        report.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn connection(shared: &Shared, holds: bool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(shared.flood.to).await?;
    stream.set_nodelay(true)?;
    if holds {
        shared.count(|report| report.done += 1);
    }
    let mut answers = Answers::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut waited_for = if holds {
            usize::MAX
        } else {
            shared.flood.pipelined
        };
        let mut requests = String::new();
        for _ in 0..shared.flood.pipelined {
            requests += shared.next();
        }
        let sent = stream.write_all(requests.as_bytes()).await;
        // One that was refused before it was sent has a response all the same.
        while waited_for > 0 {
            let read = match sent {
                Ok(()) => stream.read(&mut buffer).await,
                Err(_) => timeout(Duration::from_secs(3), stream.read(&mut buffer))
                    .await
                    .unwrap_or(Ok(0)),
            };
            let read = match read {
                Ok(read) if read > 0 => read,
                other => {
                    if !holds {
                        shared.count(|report| report.unanswered += waited_for as u64);
                    }
                    other?;
                    // A connection may end after any response.
                    return sent;
                }
            };
            for status in answers.of(&buffer[..read]) {
                waited_for = waited_for.saturating_sub(1);
                shared.count(|report| *report.answers.entry(status).or_default() += 1);
            }
        }
    }
}

/// Finds the statuses in the bytes of a connection. None of the bodies has such a line.
#[derive(Debug, Default)]
struct Answers {
    /// The end of what was read before, in which a status line may have begun.
    rest: Vec<u8>,
}

impl Answers {
    fn of(&mut self, bytes: &[u8]) -> Vec<u16> {
        const LINE: &[u8] = b"HTTP/1.1 ";
        self.rest.extend_from_slice(bytes);
        let (mut found, mut at) = (Vec::new(), 0);
        // Most bytes of a long body are looked at once, for its first letter.
        while let Some(next) = self.rest[at..].iter().position(|byte| *byte == b'H') {
            let line = &self.rest[at + next..];
            if line.len() < LINE.len() + 3 {
                at += next;
                break;
            }
            at += next + 1;
            if line.starts_with(LINE) {
                let status = std::str::from_utf8(&line[LINE.len()..LINE.len() + 3]);
                found.extend(status.ok().and_then(|status| status.parse::<u16>().ok()));
            }
        }
        let is_cut = self.rest[at.min(self.rest.len())..].first() == Some(&b'H');
        let keep = if is_cut {
            self.rest.split_off(at)
        } else {
            Vec::new()
        };
        self.rest = keep;
        found
    }
}
