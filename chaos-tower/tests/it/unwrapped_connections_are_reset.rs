//! A stock server, a plain listener, and still a real RST: the connection is found by its peer.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{Router, routing::any};
use chaos_tower::Peer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};

const FAR: Duration = Duration::from_secs(20);

async fn pair(bind: SocketAddr, connect: Ipv4Addr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(bind).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect((connect, port));
    let (client, server) = tokio::join!(client, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn only_the_connection_of_that_peer() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (mut client, mut server) = pair(any, Ipv4Addr::LOCALHOST).await;
    let (mut other, mut spared) = pair(any, Ipv4Addr::LOCALHOST).await;
    // The same peer by its address, and no stream.
    let udp = UdpSocket::bind(any).await.unwrap();
    udp.connect(client.local_addr().unwrap()).await.unwrap();

    let peer = client.local_addr().unwrap();
    let elsewhere = "127.0.0.9:9".parse().unwrap();
    assert!(!Peer::new(peer, Some(elsewhere)).reset().unwrap());
    assert!(Peer::new(peer, server.local_addr().ok()).reset().unwrap());
    let read = timeout(FAR, client.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(
        timeout(FAR, server.read_u8()).await.unwrap().is_err(),
        "its owner learns of it"
    );
    assert!(!Peer::new(peer, None).reset().unwrap(), "it is gone");

    assert!(udp.peer_addr().is_ok());
    spared.write_u8(7).await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), 7);
}

/// A peer may use one port for connections to several ports of this process.
#[tokio::test]
async fn of_two_connections_of_one_peer_none_is_cut_unless_the_other_end_is_named() {
    use socket2::{Domain, Socket, Type};

    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut from = any;
    let mut ends = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind(any).await.unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_reuse_address(true).unwrap();
        client.bind(&from.into()).unwrap();
        let to = listener.local_addr().unwrap();
        client.connect(&to.into()).unwrap();
        from = client.local_addr().unwrap().as_socket().unwrap();
        ends.push((client, listener.accept().await.unwrap().0));
    }
    assert!(Peer::new(from, None).reset().is_err());
    let [(_, first), (_, second)] = &ends[..] else {
        panic!("there are two");
    };
    assert!(Peer::new(from, first.local_addr().ok()).reset().unwrap());
    assert!(first.peer_addr().is_err() && second.peer_addr().is_ok());
}

#[tokio::test]
async fn a_close_is_fin() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (mut client, mut server) = pair(any, Ipv4Addr::LOCALHOST).await;
    assert!(
        Peer::new(client.local_addr().unwrap(), None)
            .close()
            .unwrap()
    );
    assert_eq!(
        timeout(FAR, client.read(&mut [0])).await.unwrap().unwrap(),
        0
    );
    assert_eq!(
        timeout(FAR, server.read(&mut [0])).await.unwrap().unwrap(),
        0
    );
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket() {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let (mut client, _server) = pair(any, Ipv4Addr::LOCALHOST).await;
    assert!(
        Peer::new(client.local_addr().unwrap(), None)
            .reset()
            .unwrap()
    );
    let read = timeout(FAR, client.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn plain_axum() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reset = async |request: axum::extract::Request| {
        assert!(Peer::of(request.extensions()).unwrap().reset().unwrap());
        std::future::pending::<()>().await;
    };
    let app = Router::new().route("/", any(reset));
    let make = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, make).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let read = timeout(FAR, client.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn stock_tonic() {
    use tonic::transport::server::{Server, TcpIncoming};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let layer = tower::util::MapRequestLayer::new(|request: http::Request<_>| {
        assert!(Peer::of(request.extensions()).unwrap().reset().unwrap());
        request
    });
    let server = Server::builder().layer(layer).add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));
    let mut client = {
        let to = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        HealthClient::new(to.connect_lazy())
    };
    let call = client.check(HealthCheckRequest::default());
    let status = timeout(FAR, call).await.unwrap().unwrap_err();
    let mut next: Option<&dyn std::error::Error> = Some(&status);
    let mut kind = None;
    while let Some(error) = next {
        kind = kind.or(error.downcast_ref::<io::Error>().map(io::Error::kind));
        next = error.source();
    }
    assert_eq!(kind, Some(io::ErrorKind::ConnectionReset));
}

/// Served without the addresses of peers, a layer closes connections where `reset` was asked for.
#[tokio::test]
async fn a_reset_that_needs_an_unknown_peer_is_warned_of_before_it_is_tried() {
    use axum::{Extension, extract::ConnectInfo};
    use chaos_core::{Injector, Rule, wire};
    use chaos_tower::InjectLayer;
    use tower::ServiceExt;

    let rules = [
        r#""faults":[{"abort":"reset"}]"#,
        r#""key":"peer","faults":[{"error":"lost"}]"#,
    ];
    let rules = rules.map(|rest| {
        let json = format!(r#"{{"id":"r","site":"http.server",{rest}}}"#);
        wire::rule_from_json(json.as_bytes(), None).unwrap()
    });
    let warned = |injector: &Injector, rule: &Rule| !injector.warnings([rule]).is_empty();
    for known in [true, false] {
        let injector = Injector::new();
        let app = Router::new().route("/", any(async || "served"));
        let app = app.layer(InjectLayer::with_injector("http.server", &injector));
        let app = match known {
            true => app.layer(Extension(ConnectInfo(SocketAddr::from((
                [127, 0, 0, 1],
                80,
            ))))),
            false => app,
        };
        for rule in &rules {
            assert!(!warned(&injector, rule), "nothing is known yet");
        }
        let request = http::Request::get("/").body(axum::body::Body::empty());
        let answer = app.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        for rule in &rules {
            assert_eq!(warned(&injector, rule), !known, "{rule:?}");
        }
    }
}
