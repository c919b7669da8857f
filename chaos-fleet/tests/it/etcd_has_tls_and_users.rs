//! Both halves of a fleet with TLS, client certificates, and users that have the roles of the guide.

use std::time::Duration;

use chaos_fleet::{Controller, Document, Etcd, Fleet, Replica, StoreError, Trust};
use etcd_cluster::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::{fleet::name, shop::Shop, until, within};

/// A certificate with its key, in PEM.
struct Signed {
    certificate: String,
    key: String,
}

struct Secured {
    cluster: Cluster,
    authority: String,
    client: Signed,
    /// etcd reads its certificate for each connection.
    _folder: TempDir,
}

impl Secured {
    /// Starts an etcd that asks for certificates and passwords.
    async fn start() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let signed = || {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
            Signed {
                certificate: certificate.signed_by(&key, &authority).unwrap().pem(),
                key: key.serialize_pem(),
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (server, client) = (signed(), signed());
        let ca = file("ca.pem", &authority.pem());
        let certificate = file("client.pem", &client.certificate);
        let key = file("client.key", &client.key);
        let cluster = Cluster::over_tls(&[
            "--cert-file",
            &file("server.pem", &server.certificate),
            "--key-file",
            &file("server.key", &server.key),
            "--client-cert-auth",
            "--trusted-ca-file",
            &ca,
        ]);
        let secured = Self {
            cluster,
            authority: authority.pem(),
            client,
            _folder: folder,
        };
        until_it_serves(&secured.etcd()).await;
        let ctl = |arguments: &str| {
            let access = ["--cacert", &ca, "--cert", &certificate, "--key", &key];
            let arguments: Vec<_> = arguments.split(' ').collect();
            secured.cluster.ctl(&[&access, &arguments[..]].concat())
        };
        for arguments in [
            "user add root:secret",
            "user grant-role root root",
            "role add replica",
            "role grant-permission --prefix replica read /chaos/shop/orders/",
            "role grant-permission --prefix replica readwrite /chaos/shop/replicas/",
            "role grant-permission --prefix replica readwrite /chaos/shop/limits/",
            "role grant-permission --prefix replica write /chaos/shop/orders/stops/",
            "user add replica:of-replicas",
            "user grant-role replica replica",
            "role add operator",
            "role grant-permission --prefix operator readwrite /chaos/shop/",
            "user add ann:of-operators",
            "user grant-role ann operator",
            "auth enable",
        ] {
            ctl(arguments);
        }
        secured
    }

    fn etcd(&self) -> Etcd {
        let Signed { certificate, key } = &self.client;
        let etcd = Etcd::new(self.cluster.endpoints()).unwrap();
        etcd.authority(&self.authority)
            .certificate(certificate, key)
    }
}

async fn until_it_serves(etcd: &Etcd) {
    let operator = chaos_fleet::Operator::new(etcd.clone(), name("shop"));
    for _ in 0..100 {
        if operator.status().await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("etcd does not serve");
}

fn document(n: usize) -> Document {
    let rule = json!({
        "id": "lost", "site": "db.read", "reason": format!("change {n}"), "faults": [{ "error": "lost" }],
    });
    let document =
        json!({ "name": "lost", "rules": [rule], "ttl": "10m", "fleet": { "limit": 1000 } });
    Document::from_value(document).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_changes_arrive() {
    let secured = Secured::start().await;
    let replica = Replica::new("one".parse().unwrap());
    let etcd = secured.etcd().user("replica", "of-replicas");
    let fleet = Fleet::etcd(etcd, name("shop"), replica, Trust::Store);
    let shop = Shop::of(fleet.hold(Duration::from_secs(5)));
    within(Duration::from_secs(20), "the fleet is followed", || {
        shop.is_followed()
    })
    .await;

    let etcd = secured.etcd().user("ann", "of-operators");
    let hold = Controller::USUAL_HOLD;
    let controller = Controller::take(etcd, name("shop"), Trust::Store, "ann", hold).await;
    let controller = controller.unwrap();
    for n in 0..20 {
        let placed = controller.put(&document(n), None).await.unwrap();
        let answers = controller
            .wait(&placed, Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(answers.applied.len(), 1, "change {n}: {answers:?}");
        let rule = shop.injector.rules().find("lost").unwrap().clone();
        assert_eq!(
            chaos_core::wire::rule_to_value(&rule)["reason"],
            format!("change {n}")
        );
    }
    // The limit's counter is under the replica's role, too.
    until("it is hit", || shop.is_hit()).await;
    assert!(shop.member.status().error.is_none());
    controller.release().await.unwrap();
    until("it is over", || !shop.is_hit()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_refused() {
    let secured = Secured::start().await;
    let take = async |etcd| {
        Controller::take(
            etcd,
            name("shop"),
            Trust::Store,
            "bob",
            Controller::USUAL_HOLD,
        )
        .await
        .unwrap_err()
    };
    // A replica is no controller, and whoever has no password is nobody.
    for etcd in [
        secured.etcd().user("replica", "of-replicas"),
        secured.etcd().user("replica", "of-operators"),
        secured.etcd(),
    ] {
        let error = take(etcd).await;
        let is_denied = matches!(
            &error,
            chaos_fleet::FleetError::Store(StoreError::Denied { .. })
        );
        assert!(is_denied, "{error:?}");
    }
    // Without a certificate there is no connection.
    let etcd = Etcd::new(secured.cluster.endpoints())
        .unwrap()
        .authority(&secured.authority);
    let error = take(etcd.user("ann", "of-operators")).await;
    let is_unusable = matches!(
        &error,
        chaos_fleet::FleetError::Store(StoreError::Etcd { .. })
    );
    assert!(is_unusable, "{error:?}");
}
