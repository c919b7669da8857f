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
