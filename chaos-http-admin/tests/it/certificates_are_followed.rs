//! Certificates are those of their files, whatever becomes of the files, without a restart.

use std::{path::Path, time::Duration};

use chaos_core::{Clock, Injector, audit::Action};
use chaos_http_admin::{Admin, TlsFiles};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::{
    followed::{SOON, replace, told},
    tls::{Authority, Pair, client, connect},
    wire::{ANN, Running, exchange, request, tokens},
};

/// A port whose TLS configuration is in files.
struct Secured {
    port: Running,
    admin: Admin,
    folder: TempDir,
}

impl Secured {
    async fn start(shown: &Pair, clients: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_pair(folder.path(), shown);
        let at = |name: &str| folder.path().join(name);
        let mut files = TlsFiles::new(at("tls.crt"), at("tls.key"));
        if let Some(clients) = clients {
            replace(&at("ca.crt"), clients.pem(), 0o644);
            files = files.client_certificates(at("ca.crt"));
        }
        let injector = Injector::new();
        let admin = Admin::new(injector.clone()).access_tokens(tokens());
        let admin = admin.follow_tls(files).unwrap();
        let port = Running::start_at("0.0.0.0:0", &injector, admin.clone()).await;
        Self {
            port,
            admin,
            folder,
        }
    }

    /// Whether a client gets an answer.
    async fn serves(&self, client: &tokio_rustls::TlsConnector) -> bool {
        let Ok(stream) = connect(&self.port, client).await else {
            return false;
        };
        let headers = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
        let ask = request("GET /v1/status", &headers, "");
        exchange(stream, ask.as_bytes()).await.status() == 200
    }

    async fn until_served(&self, client: &tokio_rustls::TlsConnector) {
        let served = async {
            while !self.serves(client).await {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, served).await.expect("the change in time");
    }
}

fn write_pair(folder: &Path, pair: &Pair) {
    replace(&folder.join("tls.crt"), &pair.certificate, 0o644);
    replace(&folder.join("tls.key"), &pair.key, 0o600);
}

#[tokio::test]
async fn a_new_certificate_is_shown_on_new_connections() {
    let (old, new) = (Authority::new(), Authority::new());
    let secured = Secured::start(&old.sign(&["localhost"]), None).await;
    let (trusts_old, trusts_new) = (
        client(&old, None, b"http/1.1"),
        client(&new, None, b"http/1.1"),
    );
    assert!(secured.serves(&trusts_old).await && !secured.serves(&trusts_new).await);
    let open = connect(&secured.port, &trusts_old).await.unwrap();

    write_pair(secured.folder.path(), &new.sign(&["localhost"]));
    secured.until_served(&trusts_new).await;
    assert!(!secured.serves(&trusts_old).await);
    // A connection that is open keeps what it began with.
    let headers = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
    let ask = request("GET /v1/status", &headers, "");
    exchange(open, ask.as_bytes()).await.expect(200);
    let told = told(&secured.port.injector, Action::Reload, 1).await;
    assert_eq!(told, ["certificate replaced"]);
    let entries = secured.port.injector.audit().after(0).entries;
    assert_eq!(entries[0].actor.name(), "file:tls.crt");
}

#[tokio::test]
async fn a_new_client_authority_holds_on_new_connections() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let secured = Secured::start(&authority.sign(&["localhost"]), Some(&old)).await;
    let (of_old, of_new) = (old.sign(&["ops.example"]), new.sign(&["ops.example"]));
    let of_old = client(&authority, Some(&of_old), b"http/1.1");
    let of_new = client(&authority, Some(&of_new), b"http/1.1");
    assert!(secured.serves(&of_old).await && !secured.serves(&of_new).await);

    replace(&secured.folder.path().join("ca.crt"), new.pem(), 0o644);
    secured.until_served(&of_new).await;
    assert!(!secured.serves(&of_old).await);
    let nameless = client(&authority, None, b"http/1.1");
    assert!(!secured.serves(&nameless).await);
    let told = told(&secured.port.injector, Action::Reload, 1).await;
    assert_eq!(told, ["client authorities replaced"]);
}

#[tokio::test]
async fn a_bad_certificate_changes_nothing_and_is_told_once() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let shown = authority.sign(&["localhost"]);
    let other = authority.sign(&["localhost"]);
    let known = clients.sign(&["ops.example"]);
    let known = client(&authority, Some(&known), b"http/1.1");
    let half = &shown.certificate[..shown.certificate.len() / 2];
    let lines_lost = shown.key.replace('\n', "");
    for (expected, name, text, mode) in [
        ("certificate cannot be read", "tls.crt", "", 0o644),
        ("certificate cannot be read", "tls.crt", half, 0o644),
        ("certificate cannot be read", "tls.crt", &shown.key, 0o644),
        ("every user", "tls.crt", &shown.certificate, 0o646),
        ("not that of the", "tls.crt", &other.certificate, 0o644),
        ("key cannot be read", "tls.key", "", 0o600),
        ("key cannot be read", "tls.key", &lines_lost, 0o600),
        ("not that of the", "tls.key", &other.key, 0o600),
        ("every user", "tls.key", &shown.key, 0o604),
        ("authorities cannot be read", "ca.crt", "", 0o644),
        ("every user", "ca.crt", &clients.pem(), 0o666),
    ] {
        let secured = Secured::start(&shown, Some(&clients)).await;
        replace(&secured.folder.path().join(name), text, mode);
        let refusals = told(&secured.port.injector, Action::Refuse, 1).await;
        let problem = &refusals[0];
        assert!(problem.contains(expected), "{name}: {problem}");
        assert!(!problem.contains('\n') && problem.len() < 300, "{problem}");
        assert!(secured.serves(&known).await, "{expected}");

        replace(&secured.folder.path().join("ca.crt"), clients.pem(), 0o644);
        write_pair(secured.folder.path(), &other);
        let told = told(&secured.port.injector, Action::Reload, 1).await;
        assert_eq!(told, ["certificate replaced"], "{expected}");
        assert!(secured.serves(&known).await, "{expected}");
    }
}

/// One that has expired is taken, since its owner wants it so, and the status says why clients refuse it.
#[tokio::test]
async fn a_certificate_that_has_expired_is_reported() {
    let authority = Authority::new();
    let secured = Secured::start(&authority.sign(&["localhost"]), None).await;
    let hour = Duration::from_secs(3600);
    let now = Clock::monotonic().wall();
    let expired = authority.sign_for(&["localhost"], now - 2 * hour..now - hour);
    write_pair(secured.folder.path(), &expired);
    told(&secured.port.injector, Action::Reload, 1).await;
    let client = client(&authority, None, b"http/1.1");
    assert!(!secured.serves(&client).await);
    let metrics = secured.admin.metrics().text();
    let failing = metrics
        .lines()
        .find(|line| line.starts_with("chaos_source_failing{"));
    assert!(failing.unwrap().ends_with(" 1"), "{metrics}");

    write_pair(secured.folder.path(), &authority.sign(&["localhost"]));
    secured.until_served(&client).await;
    let metrics = secured.admin.metrics().text();
    let failing = metrics
        .lines()
        .find(|line| line.starts_with("chaos_source_failing{"));
    assert!(failing.unwrap().ends_with(" 0"), "{metrics}");
}
