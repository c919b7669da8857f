//! A token goes where nobody else can read it, and into nothing that is printed.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

use chaos_core::Injector;
use chaos_http_admin::{Admin, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{
    port::{ARMER, Port},
    program::{chaosctl, command, run},
};

#[test]
fn it_never_goes_over_http_to_another_machine() {
    let mut ask = command(&["-e", "http://shop.example:9900", "status"]);
    ask.env("CHAOSCTL_TOKEN", ARMER);
    let ran = run(ask).expect(2);
    assert!(ran.stderr.contains("--insecure-token"), "{ran:?}");
    assert!(!ran.stderr.contains(ARMER), "{ran:?}");
}

#[test]
fn it_comes_from_a_file_that_is_private() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::with_tokens());
    let file = folder.path().join("token");
    fs::write(&file, format!("{ARMER}\n")).unwrap();
    let status = [
        "-e",
        &port.url,
        "--token-file",
        file.to_str().unwrap(),
        "status",
    ];
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let ran = chaosctl(&status).expect(2);
    assert!(ran.stderr.contains("mode 0600"), "{ran:?}");
    mode(0o600);
    chaosctl(&status).expect(0);
    fs::write(&file, " \n").unwrap();
    chaosctl(&status).expect(2);
}

#[test]
fn a_unix_socket_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chaos.sock");
    let injector = Injector::new();
    let _server = Admin::new(injector.clone()).bind_unix(&path).unwrap();
    let endpoint = format!("unix:{}", path.display());
    chaosctl(&["-e", &endpoint, "arm", "db.read=error(x)"]).expect(0);
    assert_eq!(injector.rules().rules().len(), 1);
    chaosctl(&["-e", "unix:/nowhere/chaos.sock", "status"]).expect(3);
}

#[test]
fn tls_is_checked() {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = signed("localhost");
    let tls = Tls::from_pem(certificate, key).unwrap();
    let tls = tls.client_certificates(ca.pem()).unwrap();
    let admin = Admin::new(Injector::new()).tls(tls);
    let server = admin.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("https://localhost:{}", server.local_addr().port());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (own, own_key) = signed("operator");
    let (ca, own) = (file("ca.pem", &ca.pem()), file("own.pem", &own));
    let own_key = file("own.key", &own_key);
    let with = [
        "-e",
        &url,
        "--ca",
        &ca,
        "--cert",
        &own,
        "--cert-key",
        &own_key,
        "status",
    ];
    chaosctl(&with).expect(0);
    // Without a certificate of our own; and without trust in theirs.
    chaosctl(&["-e", &url, "--ca", &ca, "status"]).expect(3);
    chaosctl(&["-e", &url, "--cert", &own, "--cert-key", &own_key, "status"]).expect(3);
    chaosctl(&["-e", &url, "--cert", &own, "status"]).expect(2);
    chaosctl(&["-e", &url, "--ca", &own_key, "status"]).expect(2);
}
