//! What `fleet` shows, and how it is told which fleet, and as whom. A real etcd.

use std::{fs, net::TcpListener, sync::Arc};

use etcd_cluster::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::support::{
    etcd::{Answering, Etcd},
    program::{chaosctl, command, run},
    wait::until,
};

const DOCUMENT: &str = r#"
name = "lost"
ttl = "10m"
leash = "never"

[[rules]]
id = "lost"
site = "db.read"
faults = [{ error = "lost" }]

[aim.labels]
zone = "a"
"#;

#[test]
fn status_replicas_and_preview() {
    let etcd = Arc::new(Etcd::start());
    let fleet = etcd.fleet();
    let applied = json!({ "outcome": "applied", "warnings": ["the site `db.read` is unknown"] });
    let _one = Answering::start(&etcd, "shop-1", "a", applied);
    let _two = Answering::start(&etcd, "shop-2", "b", json!({ "outcome": "not_meant" }));
    let file = etcd.file("lost.toml", DOCUMENT);
    let with = |rest: &[&str]| {
        let base = [
            "fleet",
            "--fleet",
            &fleet,
            "--trust-the-store",
            "--by",
            "ann",
        ];
        chaosctl(&[&base, rest].concat())
    };
    let preview = with(&["preview", "-f", &file]).expect(0).stdout;
    assert_eq!(
        preview,
        "lost is meant for 1 of 2\nID      LABELS\nshop-1  zone=a\n"
    );
    let json = with(&["--json", "preview", "-f", &file]).expect(0).json();
    assert_eq!(json[0]["others"][0]["id"], "shop-2");

    let reason = ["--reason", "does the cache help?"];
    let apply = [&["apply", "-f", &file, "--wait", "20s"][..], &reason].concat();
    let ran = with(&apply).expect(0);
    assert_eq!(ran.stdout, "applied by 1 of 1; not meant for 1\n");
    assert!(
        ran.stderr
            .contains("warning: the site `db.read` is unknown"),
        "{ran:?}"
    );
    until("both have answered", || {
        let status = with(&["--json", "status"]).expect(0).json();
        status[0]["documents"][0]["answers"]["not_meant"] == json!(["shop-2"])
    });
    let status = with(&["status"]).expect(0).stdout;
    for line in [
        "demo  held by nobody; 2 replicas: 2 idle\n",
        "  lost  by ann; ends in ",
        "; meant for 1\n",
        "    reason       does the cache help?\n",
        "    applied      1: shop-1\n",
        "    not meant    1: shop-2\n",
        "    warning      the site `db.read` is unknown\n",
    ] {
        assert!(status.contains(line), "{line:?}: {status}");
    }
    assert!(!status.contains('\x1b'), "{status:?}");
    let replicas = with(&["replicas"]).expect(0).stdout;
    let expected = "ID      LABELS  STATE  DOCUMENTS\n\
                    shop-1  zone=a  idle   lost: applied\n\
                    shop-2  zone=b  idle   lost: not meant\n";
    assert_eq!(replicas, expected);
    let json = with(&["--json", "replicas"]).expect(0).json();
    assert_eq!(
        (&json[0]["fleet"], &json[0]["replicas"][1]["id"]),
        (&json!("demo"), &json!("shop-2"))
    );
    // Nobody has to know a key to look.
    let status = chaosctl(&["fleet", "--fleet", &fleet, "status"])
        .expect(0)
        .stdout;
    assert!(status.contains("lost  by ann"), "{status}");
}

#[test]
fn what_is_wrong_is_named() {
    let etcd = Etcd::start();
    let fleet = etcd.fleet();
    let good = etcd.file("good.toml", DOCUMENT);
    let bad = etcd.file("bad.yaml", "name: lost\nttl: 10m\nrules: []\n");
    let short = etcd.file("short", "secret");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("http://{closed}/demo");
    let base = ["fleet", "--fleet", &fleet, "--trust-the-store"];
    for (code, arguments, told) in [
        (2, vec!["fleet", "status"], "no fleet is named"),
        (
            2,
            vec!["fleet", "--fleet", "127.0.0.1/demo", "status"],
            "is no endpoint",
        ),
        (
            2,
            vec!["fleet", "--fleet", &fleet, "apply", "-f", &good],
            "--key-file",
        ),
        (
            2,
            vec!["fleet", "--fleet", &fleet, "--key-file", &short, "status"],
            "32 bytes",
        ),
        (
            2,
            [&base[..], &["apply", "-f", &bad]].concat(),
            "rules: 0 rules",
        ),
        (
            2,
            [&base[..], &["apply", "-f", "/nowhere.json"]].concat(),
            "cannot be read",
        ),
        (
            2,
            [&base[..], &["rm", "a b"]].concat(),
            "cannot be in a name",
        ),
        (
            2,
            [&base[..], &["apply", "-f", &leashed(&etcd), "--hold", "1s"]].concat(),
            "5s to 5m",
        ),
        (
            2,
            [&base[..], &["--user", "ann", "status"]].concat(),
            "--password-file",
        ),
        (
            1,
            [&base[..], &["rm", "lost"]].concat(),
            "there is no document lost",
        ),
        (
            3,
            vec!["fleet", "--fleet", &nobody, "status"],
            "Connection refused",
        ),
        (
            3,
            vec!["fleet", "--fleet", &nobody, "halt"],
            "Connection refused",
        ),
    ] {
        let ran = chaosctl(&arguments).expect(code);
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        let json = chaosctl(&[&["--json"], &arguments[..]].concat()).expect(code);
        assert!(json.json()[0]["error"]["detail"].is_string(), "{json:?}");
    }
}

/// A document that hangs on a controller.
fn leashed(etcd: &Etcd) -> String {
    etcd.file("leashed.toml", &DOCUMENT.replace("never", "controller"))
}

#[test]
fn who_asks_is_said_by_arguments_the_environment_or_a_context() {
    let (etcd, fleet, password) = Etcd::guarded();
    let wrong = etcd.file("wrong", "hunter2");
    for user in [&[][..], &["--user", "root", "--password-file", &wrong]] {
        let ran = chaosctl(&[&["fleet", "--fleet", &fleet], user, &["status"]].concat()).expect(4);
        assert!(ran.stderr.contains("does not allow it"), "{ran:?}");
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
    let user = ["--user", "root", "--password-file", &password];
    let status = chaosctl(&[&["fleet", "--fleet", &fleet], &user[..], &["status"]].concat());
    assert_eq!(
        status.expect(0).stdout,
        "demo  held by nobody; 0 replicas\n"
    );

    let mut by_environment = command(&[&["fleet", "status"], &user[..]].concat());
    by_environment.env("CHAOSCTL_FLEET", &fleet);
    run(by_environment).expect(0);

    let config = format!(
        "[contexts.demo.fleet]\nurl = '{fleet}'\nuser = 'root'\npassword_file = '{password}'\n"
    );
    let config = etcd.file("config.toml", &config);
    let with = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("CHAOSCTL_CONFIG", &config);
        run(command)
    };
    with(&["-c", "demo", "fleet", "status"]).expect(0);
    let ran = with(&["-c", "demo", "status"]).expect(2);
    assert!(ran.stderr.contains("no endpoint"), "{ran:?}");
    // In production, what injects faults asks, and there is nobody to answer.
    let text = fs::read_to_string(&config).unwrap();
    etcd.file(
        "config.toml",
        &format!("[contexts.demo]\nproduction = true\n{text}"),
    );
    let ran = with(&["-c", "demo", "fleet", "resume"]).expect(2);
    assert!(ran.stderr.contains("context demo (production)"), "{ran:?}");
    with(&["-c", "demo", "-y", "fleet", "resume"]).expect(0);
    with(&["-c", "demo", "fleet", "halt"]).expect(0);
    // A password goes where nobody else can read it.
    let far = ["fleet", "--fleet", "http://etcd.example:2379/demo"];
    let ran = chaosctl(&[&far[..], &user, &["status"]].concat()).expect(2);
    assert!(ran.stderr.contains("--insecure-token"), "{ran:?}");
}

/// etcd shows a certificate, and asks for one.
#[test]
fn certificates_are_checked_and_presented() {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        let key = file(&format!("{name}.key"), &key.serialize_pem());
        (file(&format!("{name}.pem"), &certificate.pem()), key)
    };
    let ca = file("ca.pem", &authority.pem());
    let ((server, server_key), (client, client_key)) = (signed("server"), signed("client"));
    let etcd = Etcd(Cluster::over_tls(&[
        "--cert-file",
        &server,
        "--key-file",
        &server_key,
        "--client-cert-auth",
        "--trusted-ca-file",
        &ca,
    ]));
    let fleet = etcd.fleet();
    let base = ["fleet", "--fleet", &fleet, "status"];
    let with = |arguments: &[&str]| chaosctl(&[&base[..], arguments].concat());
    let certificate = ["--ca", &ca, "--cert", &client, "--cert-key", &client_key];
    until("etcd serves", || with(&certificate).code == 0);
    with(&["--ca", &ca]).expect(3);
    // The authorities of the Web have not signed it.
    with(&certificate[2..]).expect(3);
    let ran = with(&["--ca", &client_key, "--cert", &client]).expect(2);
    assert!(ran.stderr.contains("--cert-key"), "{ran:?}");
}
