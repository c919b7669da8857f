//! A client's connections are refused, late, never there, or broken, as the client's own errors say.

use std::{error::Error, io, num::NonZeroU64, time::Duration};

use axum::{Router, routing::any};
use bytes::Bytes;
use chaos_core::{
    Clock, Direction, Fault, Injector, Latency, Matcher, Rule, Text,
    fault::{Abort, BytesFault},
    plan::CutKind,
};
use chaos_tower::{Connect, ConnectLayer, Wrapped};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, time::timeout};
use tower::Layer;

const SITE: &str = "tcp.client";
const FAR: Duration = Duration::from_secs(20);

fn armed(fault: Fault) -> Injector {
    let injector = Injector::new();
    injector.put(Rule::new(
        "r".parse().unwrap(),
        SITE.parse().unwrap(),
        fault,
    ));
    injector
}

fn cut(kind: CutKind) -> Fault {
    Fault::abort(Abort::Cut(kind))
}

fn latency(milliseconds: u64) -> Fault {
    Fault::latency(Latency::fixed(Duration::from_millis(milliseconds)).unwrap())
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// Reads what it is sent, and answers with as many bytes as it is asked for.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = async |path: axum::extract::Path<usize>, _: Bytes| vec![b'x'; *path];
    let app = Router::new().route("/{bytes}", any(bytes));
    tokio::spawn(async { axum::serve(listener, app).await });
    format!("http://{address}")
}

mod in_reqwest {
    use super::*;

    fn client(injector: &Injector) -> reqwest::ClientBuilder {
        let layer = ConnectLayer::with_injector(SITE, injector);
        reqwest::Client::builder().no_proxy().connector_layer(layer)
    }

    #[tokio::test]
    async fn refused() {
        for fault in [
            cut(CutKind::Refuse),
            Fault::io_error(io::ErrorKind::ConnectionRefused, "nobody there"),
        ] {
            let (server, injector) = (server().await, armed(fault));
            let client = client(&injector).build().unwrap();
            let error = client.get(format!("{server}/5")).send().await.unwrap_err();
            assert!(error.is_connect() && !error.is_timeout(), "{error:?}");
            assert_eq!(io_kind(&error), Some(io::ErrorKind::ConnectionRefused));
            injector.halt("enough");
            client.get(format!("{server}/5")).send().await.unwrap();
        }
    }

    #[tokio::test]
    async fn never_there() {
        let hang = Fault::hang(Duration::from_secs(3600)).unwrap();
        let (server, injector) = (server().await, armed(hang));
        let client = client(&injector).connect_timeout(Duration::from_millis(50));
        let client = client.build().unwrap();
        let call = client.get(format!("{server}/5")).send();
        let error = timeout(FAR, call).await.unwrap().unwrap_err();
        assert!(error.is_timeout() && error.is_connect(), "{error:?}");
        assert_eq!(injector.counts("r").unwrap().active, 0);
    }

    /// The connections of reqwest cannot be wrapped.
    #[tokio::test]
    async fn bytes_are_out_of_reach_and_nothing_is_counted() {
        let fault = Fault::Body(BytesFault::truncate_after(500), Direction::Response);
        let (server, injector) = (server().await, armed(fault));
        let client = client(&injector).build().unwrap();
        let answer = client.get(format!("{server}/5000")).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap().len(), 5000);
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.injected, counts.active), (0, 0));
    }

    #[tokio::test]
    async fn slow_to_come_and_then_pooled() {
        let (server, injector) = (server().await, armed(latency(100)));
        let client = client(&injector).build().unwrap();
        let clock = Clock::monotonic();
        for _ in 0..3 {
            let answer = client.get(format!("{server}/5")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "xxxxx");
            assert!(clock.now() >= Duration::from_millis(100));
        }
        assert_eq!(injector.counts("r").unwrap().injected, 1);
    }
}

mod in_hyper_util {
    use super::*;

    type Wrapping = Client<Connect<HttpConnector, Wrapped>, Full<Bytes>>;

    fn client(injector: &Injector) -> Wrapping {
        let layer = ConnectLayer::with_injector(SITE, injector).bytes();
        Client::builder(TokioExecutor::new()).build(layer.layer(HttpConnector::new()))
    }

    async fn ask(client: &Wrapping, uri: String) -> Result<usize, Box<dyn Error>> {
        let request = Request::get(uri).body(Full::default()).unwrap();
        let answer = timeout(FAR, client.request(request)).await??;
        Ok(timeout(FAR, answer.into_body().collect())
            .await??
            .to_bytes()
            .len())
    }

    #[tokio::test]
    async fn throttled_both_ways() {
        for side in [Direction::Request, Direction::Response] {
            let rate = NonZeroU64::new(100_000).unwrap();
            let fault = Fault::Body(BytesFault::throttle(rate), side);
            let (server, injector) = (server().await, armed(fault));
            let client = client(&injector);
            let clock = Clock::monotonic();
            let (sent, uri) = match side {
                Direction::Response => (0, format!("{server}/30000")),
                Direction::Request => (30_000, format!("{server}/1")),
            };
            let request = Request::post(uri).body(Full::from(vec![0; sent])).unwrap();
            let answer = client.request(request).await.unwrap();
            answer.into_body().collect().await.unwrap();
            assert!(
                clock.now() >= Duration::from_millis(280),
                "{:?}",
                clock.now()
            );
        }
    }

    #[tokio::test]
    async fn latency_of_every_chunk() {
        let each = BytesFault::each_chunk(Duration::from_millis(50)).unwrap();
        for side in [Direction::Request, Direction::Response] {
            let (server, injector) = (server().await, armed(Fault::Body(each, side)));
            let client = client(&injector);
            for _ in 0..2 {
                let clock = Clock::monotonic();
                ask(&client, format!("{server}/5")).await.unwrap();
                assert!(clock.now() >= Duration::from_millis(50));
            }
        }
    }

    #[tokio::test]
    async fn reset_amid_an_answer() {
        let fault = Fault::abort_after(Abort::Cut(CutKind::Reset), 500, Direction::Response);
        let (server, injector) = (server().await, armed(fault));
        let client = client(&injector);
        let error = ask(&client, format!("{server}/5000")).await.unwrap_err();
        assert_eq!(io_kind(&*error), Some(io::ErrorKind::ConnectionReset));
        assert_eq!(ask(&client, format!("{server}/5")).await.unwrap(), 5);
        assert_eq!(
            injector.counts("r").unwrap().injected,
            2,
            "a new connection"
        );
    }

    #[tokio::test]
    async fn an_answer_that_ends_early() {
        let fault = Fault::Body(BytesFault::truncate_after(500), Direction::Response);
        let (server, injector) = (server().await, armed(fault));
        ask(&client(&injector), format!("{server}/5000"))
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn without_a_connection_nothing_is_done_to_its_bytes() {
        for fault in [
            Fault::Body(BytesFault::truncate_after(500), Direction::Response),
            Fault::abort_after(Abort::Cut(CutKind::Reset), 500, Direction::Response),
        ] {
            let injector = armed(fault);
            let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/5", nobody.local_addr().unwrap());
            drop(nobody);
            ask(&client(&injector), url).await.unwrap_err();
            assert_eq!(injector.counts("r").unwrap().injected, 0);
        }
    }

    #[tokio::test]
    async fn by_the_host() {
        let (server, injector) = (server().await, Injector::new());
        let rule = Rule::new(
            "r".parse().unwrap(),
            SITE.parse().unwrap(),
            cut(CutKind::Refuse),
        );
        injector.put(rule.matching(Matcher::new().label("peer", Text::is("127.0.0.1"))));
        let client = client(&injector);
        let error = ask(&client, format!("{server}/5")).await.unwrap_err();
        assert_eq!(io_kind(&*error), Some(io::ErrorKind::ConnectionRefused));
        let localhost = server.replace("127.0.0.1", "localhost");
        assert_eq!(ask(&client, format!("{localhost}/5")).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn nothing_happens_to_others() {
        let (server, injector) = (server().await, Injector::new());
        assert_eq!(
            ask(&client(&injector), format!("{server}/1000000"))
                .await
                .unwrap(),
            1_000_000
        );
    }
}

mod in_tonic {
    use tonic::{
        Code,
        transport::{Endpoint, Server, server::TcpIncoming},
    };
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    use super::*;

    async fn client(injector: &Injector) -> HealthClient<tonic::transport::Channel> {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let (_reporter, health) = tonic_health::server::health_reporter();
        tokio::spawn(
            Server::builder()
                .add_service(health)
                .serve_with_incoming(incoming),
        );
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let layer = ConnectLayer::with_injector(SITE, injector).bytes();
        HealthClient::new(endpoint.connect_with_connector_lazy(layer.layer(connector)))
    }

    #[tokio::test]
    async fn refused() {
        let injector = armed(cut(CutKind::Refuse));
        let mut client = client(&injector).await;
        let call = client.check(HealthCheckRequest::default());
        let status = timeout(FAR, call).await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(io_kind(&status), Some(io::ErrorKind::ConnectionRefused));
        injector.halt("enough");
        client.check(HealthCheckRequest::default()).await.unwrap();
    }

    #[tokio::test]
    async fn slow() {
        let each = BytesFault::each_chunk(Duration::from_millis(50)).unwrap();
        let injector = armed(Fault::Body(each, Direction::Response));
        let mut client = client(&injector).await;
        for _ in 0..2 {
            let clock = Clock::monotonic();
            client.check(HealthCheckRequest::default()).await.unwrap();
            assert!(clock.now() >= Duration::from_millis(50));
        }
    }
}
