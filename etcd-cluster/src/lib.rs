//! An etcd of a test's own, on free ports, with a fresh data directory.
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "the type says it of all its methods"
)]

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// A cluster of one or more members. It is killed when it is dropped.
///
/// Its methods panic if `etcd` of Debian's etcd-server is not installed, or does not do what it is told.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    /// Of the URLs of clients.
    scheme: &'static str,
    folder: TempDir,
}

#[derive(Debug)]
struct Member {
    command: Vec<String>,
    client: SocketAddr,
    child: Option<Child>,
}

impl Cluster {
    /// Starts one member.
    #[must_use]
    pub fn start() -> Self {
        Self::of(1, &[])
    }

    /// Starts so many members, each with these further arguments.
    #[must_use]
    pub fn of(members: usize, arguments: &[&str]) -> Self {
        let cluster = Self::spawned("http", members, arguments);
        cluster.wait();
        cluster
    }

    /// Starts one member whose clients use HTTPS. It may not serve yet: without a certificate, it cannot be asked.
    #[must_use]
    pub fn over_tls(arguments: &[&str]) -> Self {
        Self::spawned("https", 1, arguments)
    }

    fn spawned(scheme: &'static str, members: usize, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<_> = (0..members).map(|_| (free(), free())).collect();
        let url = |address: &SocketAddr| format!("http://{address}");
        let client_url = |address: &SocketAddr| format!("{scheme}://{address}");
        let all = ports.iter().enumerate();
        let all: Vec<_> = all
            .map(|(at, (_, peer))| format!("m{at}={}", url(peer)))
            .collect();
        let members = ports.iter().enumerate().map(|(at, (client, peer))| {
            let data = folder.path().join(at.to_string());
            let own = own_arguments(at, &data, &client_url(client), &url(peer), &all.join(","));
            let others = arguments.iter().map(|argument| (*argument).to_owned());
            Member {
                command: own.into_iter().chain(others).collect(),
                client: *client,
                child: None,
            }
        });
        let mut cluster = Self {
            members: members.collect(),
            scheme,
            folder,
        };
        for at in 0..cluster.members.len() {
            cluster.spawn(at);
        }
        cluster
    }

    /// Returns the URLs of the members.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        let urls = self
            .members
            .iter()
            .map(|it| format!("{}://{}", self.scheme, it.client));
        urls.collect()
    }

    /// Writes a file beside the data, which only its owner may read, and returns its path.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `etcdctl` of Debian's etcd-client at the first member, and returns what it prints.
    #[expect(clippy::must_use_candidate, reason = "what it does is what matters")]
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Lets nobody in without a password from now on: `root` with `secret` may do everything, and `others`, each of the form
    /// `name:password`, nothing. [`ctl`](Self::ctl) names no user.
    pub fn require_users(&self, others: &[&str]) {
        for user in [&["root:secret"], others].concat() {
            self.ctl(&["user", "add", user]);
        }
        self.ctl(&["user", "grant-role", "root", "root"]);
        self.ctl(&["auth", "enable"]);
    }

    /// Runs `etcdctl` at the first member, which may not answer, and returns what it prints if it does.
    #[must_use]
    pub fn ctl_if_it_answers(&self, arguments: &[&str]) -> Option<String> {
        let output = self.ask(arguments);
        let printed = output.status.success().then_some(output.stdout)?;
        Some(String::from_utf8(printed).unwrap())
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoints()[0]])
            .args(arguments)
            .output();
        output.expect("`etcdctl` of Debian's etcd-client is installed")
    }

    fn spawn(&mut self, at: usize) {
        let member = &mut self.members[at];
        let child = Command::new("etcd")
            .args(&member.command)
            .env("ETCD_UNSUPPORTED_ARCH", "arm64")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        member.child = Some(child.expect("`etcd` of Debian's etcd-server is installed"));
    }

    /// Kills a member, as `kill -9` does.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.members[at].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts a member again, with what it had.
    pub fn restart(&mut self, at: usize) {
        self.spawn(at);
        self.wait();
    }

    /// Stops all members where they are, as `kill -STOP` does: connections stay, and nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets them go on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Returns the processes of the members that run.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let children = self.members.iter().filter_map(|it| it.child.as_ref());
        children.map(Child::id).collect()
    }

    fn signal(&self, signal: &str) {
        let ids = self.ids().into_iter().map(|id| id.to_string());
        let done = Command::new("kill").arg(signal).args(ids).status();
        assert!(done.unwrap().success());
    }

    /// Waits until a member that runs serves.
    fn wait(&self) {
        for _ in 0..1000 {
            let mut running = self.members.iter().filter(|it| it.child.is_some());
            // A cluster answers once it has a leader.
            if running.all(|it| is_healthy(it.client)) {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
        panic!("etcd does not serve");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.go_on();
        for at in 0..self.members.len() {
            self.kill(at);
        }
    }
}

fn own_arguments(at: usize, data: &Path, client: &str, peer: &str, all: &str) -> Vec<String> {
    let arguments = [
        ("--name", format!("m{at}")),
        ("--data-dir", data.display().to_string()),
        ("--listen-client-urls", client.to_owned()),
        ("--advertise-client-urls", client.to_owned()),
        ("--listen-peer-urls", peer.to_owned()),
        ("--initial-advertise-peer-urls", peer.to_owned()),
        ("--initial-cluster", all.to_owned()),
        ("--log-level", "error".to_owned()),
    ];
    let pairs = arguments.into_iter();
    pairs
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// Returns an address of the loopback that nobody has.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Asks for etcd's own word on its health.
fn is_healthy(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains(r#""health":"true""#))
}
