//! Access tokens are those of their file, whatever becomes of the file, without a restart.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use chaos_core::{Clock, Injector, audit::Action};
use chaos_http_admin::{Admin, TlsFiles};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{
    followed::{SOON, of_files, replace, told},
    wire::{ANN, BOB, EVE, LONG, Running},
};

const DAN: &str = "dan-comes-somewhat-later";

fn lines(list: &[(&str, &str, &str)]) -> String {
    let line = |(name, role, secret): &(&str, &str, &str)| format!("{name}:{role}:{secret}\n");
    list.iter().map(line).collect()
}

/// A port whose tokens are in a file.
struct Followed {
    port: Running,
    path: PathBuf,
    _folder: TempDir,
}

impl Followed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        replace(&path, Self::both(), 0o600);
        let injector = Injector::new();
        let admin = Admin::new(injector.clone());
        let admin = admin.follow_access_tokens(&path).unwrap();
        let port = Running::start(&injector, admin).await;
        Self {
            port,
            path,
            _folder: folder,
        }
    }

    fn both() -> String {
        lines(&[("ann", "arm", ANN), ("bob", "stop", BOB)])
    }

    async fn status_of(&self, secret: &str) -> u16 {
        self.port.ask_as(secret, "GET /v1/rules", "").await.status()
    }

    /// Waits until the list was replaced so many times. To ask with a token until it is accepted would
    /// soon be too many failures.
    async fn until_replaced(&self, times: usize) {
        let replaced = async {
            while of_files(&self.port.injector, Action::Reload).len() < times {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, replaced).await.expect("the change in time");
    }
}

/// Sends a request on a connection that stays open, and returns the status.
async fn ask_on(stream: &mut TcpStream, secret: &str) -> u16 {
    let ask = format!(
        "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let mut read = 0;
    loop {
        read += stream.read(&mut answer[read..]).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..read]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            return head[9..12].parse().unwrap();
        }
    }
}

/// Opens an event stream, and reads until its first event.
async fn listen(port: &Running, secret: &str) -> TcpStream {
    let mut stream = port.connect().await;
    let ask = format!(
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    until_event(&mut stream, "event: start").await;
    stream
}

/// Reads on until this is there.
async fn until_event(stream: &mut TcpStream, event: &str) {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(event) {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "an end");
        }
    };
    timeout(LONG, read).await.expect("an event");
}

/// Waits until the response is complete.
async fn until_end(stream: &mut TcpStream) {
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(b"0\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "{text:?}");
        }
    };
    timeout(SOON, read).await.expect("the end of the stream");
}

#[tokio::test]
async fn a_removed_token_is_refused_and_an_added_one_is_accepted() {
    let followed = Followed::start().await;
    let port = &followed.port;
    let mut open = port.connect().await;
    assert_eq!(ask_on(&mut open, BOB).await, 200);
    let (mut anns, mut bobs) = (listen(port, ANN).await, listen(port, BOB).await);
    assert_eq!(followed.status_of(DAN).await, 401);

    let text = lines(&[("ann", "arm", ANN), ("dan", "observe", DAN)]);
    replace(&followed.path, text, 0o600);
    followed.until_replaced(1).await;
    assert_eq!(followed.status_of(DAN).await, 200);
    assert_eq!(followed.status_of(BOB).await, 401);
    // Also on a connection on which the token was accepted before.
    assert_eq!(ask_on(&mut open, BOB).await, 401);
    assert_eq!(ask_on(&mut open, DAN).await, 200);
    until_end(&mut bobs).await;
    until_event(&mut anns, "event: reload").await;

    let told = told(&port.injector, Action::Reload, 1).await;
    assert_eq!(told, ["access tokens: added dan; removed bob"]);
    let entries = port.injector.audit().after(0).entries;
    let reload = entries.iter().find(|it| it.action == Action::Reload);
    let actor = &reload.unwrap().actor;
    assert_eq!(actor.name(), "file:tokens");
    assert_eq!(actor.address(), followed.path.to_str());
    let said = format!("{entries:?}");
    assert!(
        [ANN, BOB, DAN].iter().all(|it| !said.contains(it)),
        "{said}"
    );
}

#[tokio::test]
async fn another_role_or_secret_holds_from_the_next_request_on() {
    let followed = Followed::start().await;
    let port = &followed.port;
    let (mut anns, mut bobs) = (listen(port, ANN).await, listen(port, BOB).await);
    let text = lines(&[("bob", "stop", DAN), ("ann", "observe", ANN)]);
    replace(&followed.path, text, 0o600);
    followed.until_replaced(1).await;
    assert_eq!(followed.status_of(DAN).await, 200);
    assert_eq!(followed.status_of(BOB).await, 401);
    let halt = port.ask_as(ANN, "POST /v1/halt", "").await;
    assert_eq!(halt.status(), 403, "{}", halt.text());
    until_end(&mut anns).await;
    until_end(&mut bobs).await;
    let changed = told(&port.injector, Action::Reload, 1).await;
    assert_eq!(changed, ["access tokens: changed bob, ann"]);
    // Another order, or a comment, is no change.
    let text = lines(&[("ann", "observe", ANN), ("bob", "stop", DAN)]) + "# on call\n";
    replace(&followed.path, text, 0o600);
    sleep(Duration::from_millis(500)).await;
    told(&port.injector, Action::Reload, 1).await;
}

/// Does something bad to the file: nothing changes, and it is told once, everywhere.
async fn is_told_once(expected: &str, harm: impl FnOnce(&Path)) {
    let followed = Followed::start().await;
    let port = &followed.port;
    let path = &followed.path;
    harm(path);
    let refusals = told(&port.injector, Action::Refuse, 1).await;
    let problem = &refusals[0];
    let place = path.to_str().unwrap();
    assert!(
        problem.starts_with(place) && problem.contains(expected),
        "{problem}"
    );
    assert!(
        !problem.contains('\n') && !problem.contains("nobodys"),
        "{problem}"
    );
    assert_eq!(followed.status_of(ANN).await, 200, "{expected}");
    assert_eq!(followed.status_of(BOB).await, 200, "{expected}");

    let status = port.ask_as(ANN, "GET /v1/status", "").await.json();
    assert_eq!(status["sources"][0]["name"], place);
    assert_eq!(status["sources"][0]["error"], **problem);
    let failing = format!("chaos_source_failing{{source=\"{place}\"}}");
    let metrics = port.ask_as(ANN, "GET /metrics", "").await.text();
    assert!(metrics.contains(&format!("{failing} 1")), "{metrics}");

    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    }
    replace(
        path,
        lines(&[("ann", "arm", ANN), ("dan", "arm", DAN)]),
        0o600,
    );
    followed.until_replaced(1).await;
    assert_eq!(followed.status_of(DAN).await, 200);
    assert_eq!(followed.status_of(BOB).await, 401);
    let status = port.ask_as(ANN, "GET /v1/status", "").await.json();
    assert!(status["sources"][0]["error"].is_null(), "{status}");
    let metrics = port.ask_as(ANN, "GET /metrics", "").await.text();
    assert!(metrics.contains(&format!("{failing} 0")), "{metrics}");
    told(&port.injector, Action::Refuse, 1).await;
}

#[tokio::test]
async fn a_bad_list_changes_nothing_and_is_told_once() {
    const SECRET: &str = "ann:arm:nobodys-business-at-all";
    is_told_once("no access token", |path| replace(path, "", 0o600)).await;
    is_told_once("no access token", |path| replace(path, "# none\n", 0o600)).await;
    is_told_once("cannot be read", |path| fs::remove_file(path).unwrap()).await;
    is_told_once("16 to 512", |path| {
        replace(path, format!("{SECRET}\nbob:stop:nobodys"), 0o600);
    })
    .await;
    is_told_once("the role", |path| {
        replace(path, format!("bob:nobodys:{BOB}"), 0o600);
    })
    .await;
    is_told_once("same name", |path| {
        replace(path, format!("{SECRET}\n{SECRET}-2"), 0o600);
    })
    .await;
    is_told_once("not UTF-8", |path| {
        replace(path, b"ann:arm:nobodys-\xff\xff\xff\xff", 0o600);
    })
    .await;
    is_told_once("64 KiB", |path| replace(path, "#".repeat(65 * 1024), 0o600)).await;
    is_told_once("every user", |path| replace(path, SECRET, 0o644)).await;
    is_told_once("every user", |path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o604)).unwrap();
    })
    .await;
    is_told_once("not a regular file", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    })
    .await;
    is_told_once("not a regular file", |path| {
        fs::remove_file(path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    })
    .await;
}

/// A writer leaves part of a list, which is a list, for less than a file takes to settle.
#[tokio::test]
async fn a_list_that_is_being_written_is_not_used() {
    let list = lines(&[
        ("ann", "arm", ANN),
        ("bob", "stop", BOB),
        ("dan", "arm", DAN),
    ]);
    for _ in 0..20 {
        let followed = Followed::start().await;
        let mut file = fs::File::create(&followed.path).unwrap();
        let mut was_held_up = false;
        for line in list.lines() {
            let clock = Clock::monotonic();
            writeln!(file, "{line}").unwrap();
            sleep(Duration::from_millis(20)).await;
            was_held_up |= clock.now() > Duration::from_millis(70);
        }
        drop(file);
        followed.until_replaced(1).await;
        if !was_held_up {
            let told = told(&followed.port.injector, Action::Reload, 1).await;
            assert_eq!(told, ["access tokens: added dan"]);
            return;
        }
    }
    panic!("this machine holds up everyone");
}

/// As the kubelet does it: new files in a new directory, and `..data` put over the old one.
fn publish(mount: &Path, version: &str, files: &[(&str, &str)]) {
    let before = fs::read_link(mount.join("..data")).ok();
    fs::create_dir(mount.join(version)).unwrap();
    for (name, text) in files {
        let path = mount.join(version).join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    }
    symlink(version, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    for (name, _) in files {
        let _ = symlink(Path::new("..data").join(name), mount.join(name));
    }
    if let Some(before) = before {
        fs::remove_dir_all(mount.join(before)).unwrap();
    }
}

#[tokio::test]
async fn a_mounted_secret_is_followed() {
    let mount = tempfile::tempdir().unwrap();
    publish(mount.path(), "..2026_01", &[("tokens", &Followed::both())]);
    let injector = Injector::new();
    let admin = Admin::new(injector.clone());
    let path = mount.path().join("tokens");
    let admin = admin.follow_access_tokens(&path).unwrap();
    let followed = Followed {
        port: Running::start(&injector, admin).await,
        path,
        _folder: mount,
    };
    for (at, secret) in [DAN, EVE, DAN].into_iter().enumerate() {
        let text = lines(&[("ann", "arm", secret)]);
        let version = format!("..2026_1{at}");
        publish(followed._folder.path(), &version, &[("tokens", &text)]);
        followed.until_replaced(at + 1).await;
        assert_eq!(followed.status_of(secret).await, 200);
    }
    assert_eq!(followed.status_of(ANN).await, 401);
}

#[test]
fn what_is_bad_at_the_start_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let admin = || Admin::new(Injector::new());
    let missing = admin().follow_access_tokens(&path).unwrap_err();
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
    let missing = admin().follow_tls(TlsFiles::new(&path, &path)).unwrap_err();
    assert!(missing.to_string().contains("certificate"), "{missing}");
}

/// A file is followed for as long as something is served with it.
#[tokio::test]
async fn nobody_follows_a_file_for_a_port_that_is_gone() {
    let followed = Followed::start().await;
    let injector = followed.port.injector.clone();
    followed.port.server.stop().await;
    replace(&followed.path, lines(&[("dan", "arm", DAN)]), 0o600);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(injector.audit().last(), 0);
}
