//! A Unix socket is its owner's alone, replaces what is dead and nothing else, and leaves nothing
//! behind.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use chaos_core::Injector;
use chaos_http_admin::{Admin, ServeError, UnixServer};
use tokio::net::UnixStream;

use crate::support::wire::{ANN, Answer, exchange, request, tokens};

fn start(admin: &Admin, path: &Path) -> UnixServer {
    let server = admin.bind_unix(path).unwrap();
    assert_eq!(server.path(), path);
    server
}

async fn ask(path: &Path, line: &str, headers: &str, body: &str) -> Answer {
    let stream = UnixStream::connect(path).await.unwrap();
    exchange(stream, request(line, headers, body).as_bytes()).await
}

const HALT: &str = r#"{"reason":"x"}"#;

#[tokio::test]
async fn it_is_its_owners_and_goes_with_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let injector = Injector::new();
    let server = Admin::new(injector.clone()).bind_unix(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Any name is as good as another, and the actor is who the system says it is.
    for host in ["Host: localhost\r\n", "Host: whatever.example\r\n"] {
        ask(&path, "GET /v1/status", host, "").await.expect(200);
    }
    ask(&path, "POST /v1/halt", "Host: x\r\n", HALT)
        .await
        .expect(200);
    let entry = injector.audit().after(0).entries.pop().unwrap();
    let (user, process) = (rustix::process::getuid().as_raw(), std::process::id());
    assert_eq!(entry.actor.name(), format!("uid {user}"));
    let address = entry.actor.address().unwrap();
    assert!(
        address.starts_with(&format!("unix: uid {user}")),
        "{address}"
    );
    if cfg!(target_os = "linux") {
        assert!(address.ends_with(&format!("pid {process}")), "{address}");
    }
    // A page in a browser behind a proxy is still a page from elsewhere.
    let foreign = "Host: x\r\nOrigin: http://evil.example\r\n";
    ask(&path, "POST /v1/resume", foreign, HALT)
        .await
        .problem(403);

    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn tokens_hold_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let admin = Admin::new(Injector::new()).access_tokens(tokens());
    let _server = start(&admin, &path);
    ask(&path, "GET /v1/rules", "Host: x\r\n", "")
        .await
        .problem(401);
    let headers = format!("Host: x\r\nAuthorization: Bearer {ANN}\r\n");
    ask(&path, "GET /v1/rules", &headers, "").await.expect(200);
}

#[tokio::test]
async fn only_what_is_dead_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let admin = Admin::new(Injector::new());

    // A socket that someone left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = start(&admin, &path);
    ask(&path, "GET /healthz", "Host: x\r\n", "")
        .await
        .expect(200);

    // One that is alive: the first stays.
    let error = admin.bind_unix(&path).unwrap_err();
    assert!(matches!(error, ServeError::BindUnix(..)), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
    ask(&path, "GET /healthz", "Host: x\r\n", "")
        .await
        .expect(200);

    // Dropped and not stopped: it cleans up all the same.
    drop(server);
    assert!(!path.exists());

    // What is no socket is no matter of ours.
    fs::write(&path, "precious").unwrap();
    admin.bind_unix(&path).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    admin.bind_unix(&path).unwrap_err();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[tokio::test]
async fn what_took_its_name_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let server = start(&Admin::new(Injector::new()), &path);
    fs::remove_file(&path).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    server.stop().await;
    assert!(path.exists());
}
