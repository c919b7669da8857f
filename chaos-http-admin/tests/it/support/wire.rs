//! A port on a socket, and clients that write bytes to it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chaos_core::{Clock, Injector, audit::Action};
use chaos_http_admin::{AccessTokens, Admin, Role, Server};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything that is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// How long what comes at once may take on a busy machine: less than what would hold it up.
pub(crate) const SOON: Duration = Duration::from_secs(8);

pub(crate) const ANN: &str = "ann-may-do-everything";
pub(crate) const BOB: &str = "bob-may-stop-it-all";
pub(crate) const EVE: &str = "eve-may-only-look-at-it";

/// One of each role.
pub(crate) fn tokens() -> AccessTokens {
    let tokens = AccessTokens::new().token("ann", Role::Arm, ANN);
    let tokens = tokens.and_then(|tokens| tokens.token("bob", Role::Stop, BOB));
    let tokens = tokens.and_then(|tokens| tokens.token("eve", Role::Observe, EVE));
    tokens.unwrap()
}

pub(crate) struct Running {
    pub(crate) injector: Injector,
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
}

impl Running {
    /// A port on loopback that asks for tokens.
    pub(crate) async fn guarded() -> Self {
        let injector = Injector::new();
        Self::start(
            &injector,
            Admin::new(injector.clone()).access_tokens(tokens()),
        )
        .await
    }

    pub(crate) async fn start(injector: &Injector, admin: Admin) -> Self {
        Self::start_at("127.0.0.1:0", injector, admin).await
    }

    pub(crate) async fn start_at(address: &str, injector: &Injector, admin: Admin) -> Self {
        let server = admin.bind(address.parse().unwrap()).unwrap();
        let mut address = server.local_addr();
        address.set_ip([127, 0, 0, 1].into());
        Self {
            injector: injector.clone(),
            address,
            server,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes on a connection of their own, and reads until it is closed.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Answer {
        exchange(self.connect().await, bytes).await
    }

    /// Asks with these header lines, which end in `\r\n`, and a body of JSON if there is one.
    pub(crate) async fn ask(&self, line: &str, headers: &str, body: &str) -> Answer {
        self.exchange(request(line, headers, body).as_bytes()).await
    }

    /// Asks as the owner of a secret.
    pub(crate) async fn ask_as(&self, secret: &str, line: &str, body: &str) -> Answer {
        let headers = format!("Host: localhost\r\nAuthorization: Bearer {secret}\r\n");
        self.ask(line, &headers, body).await
    }

    /// The refusals in the audit: by whom, and of what.
    pub(crate) fn refusals(&self) -> Vec<(String, String)> {
        let entries = self.injector.audit().after(0).entries;
        let refusals = entries.iter().filter(|e| e.action == Action::Refuse);
        refusals
            .map(|entry| {
                let what = entry.what.as_deref().unwrap_or_default();
                (entry.actor.name().to_owned(), what.to_owned())
            })
            .collect()
    }
}

pub(crate) fn request(line: &str, headers: &str, body: &str) -> String {
    let content = match body {
        "" => String::new(),
        body => format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        ),
    };
    format!("{line} HTTP/1.1\r\n{headers}{content}Connection: close\r\n\r\n{body}")
}

pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> Answer {
    let exchanged = timeout(LONG, async {
        // It may be closed before it has taken all of it; what it answered is still there.
        drop(stream.write_all(bytes).await);
        drop(stream.flush().await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        answer
    });
    Answer(exchanged.await.expect("an answer or an end"))
}

/// What came until the connection was closed.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// 0 if there was no answer.
    pub(crate) fn status(&self) -> u16 {
        let text = self.text();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3));
        status.map_or(0, |status| status.parse().unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next()?;
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }

    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{}", self.text());
        self
    }

    /// A refusal, which must look like one.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status(), status, "{}", self.text());
        let content_type = self.header("content-type");
        assert_eq!(content_type.as_deref(), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem
    }
}

/// Someone who asks over and over, on a connection of their own each time or on one for all.
pub(crate) struct Asking {
    count: Arc<AtomicUsize>,
    asking: JoinHandle<()>,
}

impl Asking {
    /// Each time must be answered with 200, and [`SOON`].
    pub(crate) fn start(what: &'static str, address: SocketAddr, request: String) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let asking = tokio::spawn(async move {
            loop {
                let clock = Clock::monotonic();
                let stream = TcpStream::connect(address).await.unwrap();
                let answer = exchange(stream, request.as_bytes()).await;
                assert_eq!(answer.status(), 200, "{what}: {}", answer.text());
                assert!(clock.now() < SOON, "{what}: after {:?}", clock.now());
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Self { count, asking }
    }

    /// How often they have asked, without fail.
    pub(crate) async fn end(self) -> usize {
        // The one that is under way ends first, so that it fails if it must.
        let before = self.count.load(Ordering::Relaxed);
        while !self.asking.is_finished() && self.count.load(Ordering::Relaxed) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if self.asking.is_finished() {
            self.asking.await.unwrap();
            unreachable!("it ends by a panic alone");
        }
        self.asking.abort();
        self.count.load(Ordering::Relaxed)
    }
}

/// How many files this process may open.
#[cfg(unix)]
pub(crate) fn open_files() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map_or(usize::MAX, |limit| limit as usize)
}

#[cfg(not(unix))]
pub(crate) fn open_files() -> usize {
    2_000
}
