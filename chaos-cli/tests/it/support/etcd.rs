//! An etcd of the test's own, of one member, and replicas that only write reports.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chaos_core::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;

/// It is killed when it is dropped.
pub(crate) struct Etcd {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    scheme: String,
}

impl Etcd {
    pub(crate) fn start() -> Self {
        let etcd = Self::spawn("http", &[]);
        until("etcd serves", || etcd.is_healthy());
        etcd
    }

    /// Starts one whose clients use this scheme, with these further arguments. It may not serve yet.
    pub(crate) fn spawn(scheme: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = || {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        };
        let (client, peer) = (free(), free());
        let (client_url, peer_url) = (format!("{scheme}://{client}"), format!("http://{peer}"));
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .args(["--name", "m0", "--log-level", "error"])
            .args(["--listen-client-urls", &client_url])
            .args(["--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url])
            .args(["--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("m0={peer_url}")])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self {
            child: child.expect("`etcd` of Debian's etcd-server is installed"),
            address: client,
            folder,
            scheme: scheme.to_owned(),
        }
    }

    /// Returns the fleet `demo` as `--fleet` names it.
    pub(crate) fn fleet(&self) -> String {
        format!("{}://{}/demo", self.scheme, self.address)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn is_healthy(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains(r#""health":"true""#))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &id]).status();
        assert!(done.unwrap().success());
    }

    /// Runs `etcdctl`, and returns what it prints.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &format!("http://{}", self.address)])
            .args(arguments)
            .output();
        let output = output.expect("`etcdctl` of Debian's etcd-client is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn put(&self, key: &str, value: &Value) {
        self.ctl(&["put", &format!("/chaos/demo/{key}"), &value.to_string()]);
    }

    /// Returns the revision in which a key was put, if it is there.
    pub(crate) fn revision(&self, key: &str) -> Option<i64> {
        let got = self.ctl(&["get", &format!("/chaos/demo/{key}"), "-w", "json"]);
        let got: Value = serde_json::from_str(&got).unwrap();
        got["kvs"][0]["mod_revision"].as_i64()
    }

    /// Registers a replica that does nothing.
    pub(crate) fn register(&self, id: &str, zone: &str) {
        self.put(&format!("replicas/{id}"), &report(id, zone, &json!({})));
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn report(id: &str, zone: &str, documents: &Value) -> Value {
    json!({
        "id": id,
        "labels": { "zone": zone },
        "version": "0.1.0",
        "seen": 1,
        "generation": 1,
        "state": "idle",
        "documents": documents,
    })
}

/// A replica that answers to the document `lost`, until it is dropped.
pub(crate) struct Answering {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    pub(crate) fn start(etcd: &Arc<Etcd>, id: &str, zone: &str, outcome: Value) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        etcd.register(id, zone);
        let (etcd, over) = (Arc::clone(etcd), Arc::clone(&is_over));
        let (id, zone) = (id.to_owned(), zone.to_owned());
        let answer = move || {
            let mut seen = None;
            // The flag alone is of interest.
            while !over.load(Ordering::Relaxed) {
                let revision = etcd.revision("orders/rules/lost");
                if revision.is_some() && revision != seen {
                    let mut outcome = outcome.clone();
                    outcome["revision"] = revision.into();
                    let report = report(&id, &zone, &json!({ "lost": outcome }));
                    etcd.put(&format!("replicas/{id}"), &report);
                    seen = revision;
                }
                thread::park_timeout(Duration::from_millis(50));
            }
        };
        Self {
            is_over,
            thread: Some(thread::spawn(answer)),
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until something holds, and returns how long that took.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let clock = Clock::monotonic();
    while !holds() {
        assert!(clock.now() < Duration::from_secs(30), "never: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
    clock.now()
}
