//! What is said when etcd is not there, or not for this user.

use std::{net::TcpListener, time::Duration};

use chaos_core::Clock;
use chaos_fleet::{Controller, Etcd, FleetError, Operator, StoreError};
use etcd_cluster::Cluster;
use tokio::time::timeout;

use crate::support::fleet::{etcd, name, trust};

async fn status(etcd: Etcd) -> Result<(), FleetError> {
    let operator = Operator::new(etcd, name("shop"));
    let status = timeout(Duration::from_secs(20), operator.status());
    status.await.expect("an answer in time").map(|_| ())
}

#[tokio::test]
async fn etcd_that_wants_a_password() {
    let cluster = Cluster::start();
    cluster.require_users(&["eve:other"]);
    status(etcd(&cluster).user("root", "secret")).await.unwrap();
    for etcd in [
        etcd(&cluster),
        etcd(&cluster).user("root", "wrong"),
        etcd(&cluster).user("eve", "other"),
    ] {
        let shown = format!("{etcd:?}");
        let error = status(etcd.clone()).await.unwrap_err();
        assert!(
            matches!(&error, FleetError::Store(StoreError::Denied { .. })),
            "{shown}: {error:?}"
        );
        let fleet = name("shop");
        let taken = Controller::take(etcd, fleet, trust(), "ann", Controller::USUAL_HOLD);
        let error = taken.await.unwrap_err();
        assert!(
            matches!(&error, FleetError::Store(StoreError::Denied { .. })),
            "{shown}: {error:?}"
        );
    }
    let hold = Controller::USUAL_HOLD;
    let etcd = etcd(&cluster).user("root", "secret");
    let taken = Controller::take(etcd, name("shop"), trust(), "ann", hold).await;
    taken.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_no_etcd_and_one_where_nobody_is() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let speaks = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = speaks.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in speaks.incoming() {
            let _ = stream
                .unwrap()
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        }
    });
    for address in [silent.local_addr().unwrap(), closed, http] {
        let clock = Clock::monotonic();
        let error = status(Etcd::new([format!("http://{address}")]).unwrap()).await;
        let error = error.unwrap_err();
        println!("{address} after {:?}: {error:?}", clock.now());
        let FleetError::Store(error) = error else {
            panic!("{error:?}")
        };
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(clock.now() < Duration::from_secs(12), "{:?}", clock.now());
    }
}

/// The next endpoint is asked when one does not answer.
#[tokio::test]
async fn one_endpoint_of_three_is_enough() {
    let cluster = Cluster::start();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = [closed, silent.local_addr().unwrap()].map(|at| format!("http://{at}"));
    let endpoints = dead.into_iter().chain(cluster.endpoints());
    let clock = Clock::monotonic();
    status(Etcd::new(endpoints).unwrap()).await.unwrap();
    println!("after {:?}", clock.now());
}
