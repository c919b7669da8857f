//! What a rule says of a connection happens to its bytes, in the direction and at the time it says.

use std::{io, num::NonZeroU64, time::Duration};

use chaos_core::{
    Clock, Direction, Fault, Injector, Latency, Matcher, Rule, Text, Trigger,
    fault::{Abort, BytesFault, When},
    plan::CutKind,
};
use chaos_tower::{FaultIo, InjectListener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_stream::StreamExt;

const SITE: &str = "tcp.server";
const FAR: Duration = Duration::from_secs(20);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn rule(fault: Fault) -> Rule {
    let rule = Rule::new("r".parse().unwrap(), SITE.parse().unwrap(), fault);
    rule.trigger(Trigger::new().seed(7))
}

fn armed(fault: Fault) -> Injector {
    let injector = Injector::new();
    injector.put(rule(fault));
    injector
}

fn throttle(bytes_per_second: u64) -> BytesFault {
    BytesFault::throttle(NonZeroU64::new(bytes_per_second).unwrap())
}

fn reset() -> Abort {
    Abort::Cut(CutKind::Reset)
}

/// A client and the server's end of its connection, through memory.
async fn through(injector: &Injector) -> (DuplexStream, FaultIo<DuplexStream>) {
    let (client, server) = tokio::io::duplex(1 << 20);
    let incoming = tokio_stream::iter([io::Result::Ok(server)]);
    let mut listener = InjectListener::with_injector(incoming, SITE, injector);
    (client, listener.next().await.unwrap().unwrap())
}

/// The same through TCP.
async fn through_tcp(injector: &Injector) -> (TcpStream, FaultIo<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = InjectListener::with_injector(listener, SITE, injector);
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Writes bytes to one end, and says how long it took until they were at the other.
async fn send<A, B>(from: &mut A, to: &mut B, bytes: &[u8]) -> Duration
where
    A: tokio::io::AsyncWrite + Unpin,
    B: tokio::io::AsyncRead + Unpin,
{
    let clock = Clock::monotonic();
    let mut seen = vec![0; bytes.len()];
    let (written, read) = tokio::join!(from.write_all(bytes), to.read_exact(&mut seen));
    written.unwrap();
    read.unwrap();
    assert_eq!(seen, bytes);
    clock.now()
}

#[track_caller]
fn assert_about(time: Duration, expected: f64) {
    let (low, high) = (secs(expected * 0.97), secs(expected * 1.03 + 0.005));
    assert!(time >= low && time <= high, "{time:?}, not {expected} s");
}

#[tokio::test(start_paused = true)]
async fn a_throttle_holds_its_own_direction_to_its_rate() {
    let bytes = vec![7; 50_000];
    for side in [Direction::Response, Direction::Request] {
        let injector = armed(Fault::Body(throttle(10_000), side));
        let (mut client, mut server) = through(&injector).await;
        let answer = send(&mut server, &mut client, &bytes).await;
        let request = send(&mut client, &mut server, &bytes).await;
        let (slow, fast) = match side {
            Direction::Response => (answer, request),
            Direction::Request => (request, answer),
        };
        assert_about(slow, 5.0);
        assert_eq!(fast, Duration::ZERO);
        // What was not used is not saved up.
        tokio::time::sleep(secs(60.0)).await;
        let again = match side {
            Direction::Response => send(&mut server, &mut client, &bytes).await,
            Direction::Request => send(&mut client, &mut server, &bytes).await,
        };
        assert!(again > secs(4.8) && again < secs(5.2), "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_chunk_and_the_first_byte_wait() {
    for side in [Direction::Response, Direction::Request] {
        let injector = Injector::new();
        let first = BytesFault::first_byte(secs(1.0)).unwrap();
        let each = BytesFault::each_chunk(secs(0.1)).unwrap();
        injector.put(rule(Fault::Body(first, side)).then(Fault::Body(each, side)));
        let (mut client, mut server) = through(&injector).await;
        // However long nothing comes: it is what comes that waits.
        for expected in [1.1, 0.1, 0.1] {
            let time = match side {
                Direction::Response => send(&mut server, &mut client, b"chunk").await,
                Direction::Request => {
                    let later = async {
                        tokio::time::sleep(secs(3.0)).await;
                        client.write_all(b"chunk").await.unwrap();
                        Clock::monotonic()
                    };
                    let mut seen = [0; 5];
                    let (sent, read) = tokio::join!(later, server.read_exact(&mut seen));
                    read.unwrap();
                    sent.now()
                }
            };
            assert_about(time, expected);
        }
    }
}

/// It waited for the first byte, and left the fault to the next write.
#[tokio::test(start_paused = true)]
async fn a_write_of_nothing_waits_for_nothing() {
    for fault in [
        BytesFault::first_byte(secs(1.0)),
        BytesFault::each_chunk(secs(1.0)),
    ] {
        let injector = armed(Fault::Body(fault.unwrap(), Direction::Response));
        let (mut client, mut server) = through(&injector).await;
        let clock = Clock::monotonic();
        assert_eq!(server.write(&[]).await.unwrap(), 0);
        assert_eq!(clock.now(), Duration::ZERO);
        assert_about(send(&mut server, &mut client, b"first").await, 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_comes_after_its_bytes_and_ends() {
    for side in [Direction::Response, Direction::Request] {
        let stall = BytesFault::stall_after(10, secs(5.0)).unwrap();
        let injector = armed(Fault::Body(stall, side));
        let (mut client, mut server) = through(&injector).await;
        let ends: (&mut (dyn Bytes + Unpin), &mut (dyn Bytes + Unpin)) = match side {
            Direction::Response => (&mut server, &mut client),
            Direction::Request => (&mut client, &mut server),
        };
        let (mut from, mut to) = ends;
        assert_eq!(send(&mut from, &mut to, &[1; 10]).await, Duration::ZERO);
        assert_about(send(&mut from, &mut to, &[2; 10]).await, 5.0);
        assert_eq!(send(&mut from, &mut to, &[3; 10]).await, Duration::ZERO);
    }
}

trait Bytes: tokio::io::AsyncRead + tokio::io::AsyncWrite {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite> Bytes for T {}

#[tokio::test]
async fn an_answer_that_is_truncated_ends_with_fin() {
    let fault = Fault::Body(BytesFault::truncate_after(100), Direction::Response);
    let injector = armed(fault);
    let (mut client, mut server) = through_tcp(&injector).await;
    let written = server.write_all(&[1; 1000]).await;
    assert_eq!(
        written.unwrap_err().kind(),
        io::ErrorKind::ConnectionAborted
    );
    assert!(server.read_u8().await.is_err(), "it is over for its owner");
    let mut seen = Vec::new();
    client.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, [1; 100]);
}

#[tokio::test]
async fn a_request_that_is_truncated_ends_early() {
    let fault = Fault::Body(BytesFault::truncate_after(100), Direction::Request);
    let injector = armed(fault);
    let (mut client, mut server) = through_tcp(&injector).await;
    client.write_all(&[1; 1000]).await.unwrap();
    let mut seen = Vec::new();
    server.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, [1; 100]);
    server.write_all(b"bye").await.unwrap();
    client.read_exact(&mut [0; 3]).await.unwrap();
}

/// The same bytes are changed whatever portions they come in.
#[tokio::test(start_paused = true)]
async fn corruption_is_a_function_of_the_seed() {
    for side in [Direction::Response, Direction::Request] {
        let mut seen = Vec::new();
        for portion in [1_000, 7, 333] {
            let fault = Fault::Body(BytesFault::corrupt(0.01).unwrap(), side);
            let injector = armed(fault);
            let (mut client, mut server) = through(&injector).await;
            let mut bytes = vec![0; 10_000];
            for portion in bytes.chunks_mut(portion) {
                match side {
                    Direction::Response => {
                        server.write_all(portion).await.unwrap();
                        client.read_exact(portion).await.unwrap();
                    }
                    Direction::Request => {
                        client.write_all(portion).await.unwrap();
                        server.read_exact(portion).await.unwrap();
                    }
                }
            }
            let changed = bytes.iter().filter(|byte| **byte != 0).count();
            assert!((50..200).contains(&changed), "{changed} of 10 000 at 1 %");
            seen.push(bytes);
        }
        assert!(seen[0] == seen[1] && seen[1] == seen[2]);
    }
}

/// Others are accepted meanwhile, so accepting does not wait.
#[tokio::test(start_paused = true)]
async fn a_slow_connection_is_handed_on_at_once() {
    let fault = Fault::latency(Latency::fixed(secs(2.0)).unwrap());
    let injector = armed(fault);
    let clock = Clock::monotonic();
    let (mut client, mut server) = through(&injector).await;
    assert_eq!(clock.now(), Duration::ZERO);
    // Both directions at once, each in a task of its own.
    let (mut reader, mut writer) = tokio::io::split(server);
    let read = tokio::spawn(async move { (reader.read_u8().await.unwrap(), reader) });
    let write = tokio::spawn(async move {
        writer.write_u8(2).await.unwrap();
        writer
    });
    client.write_u8(1).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), 2);
    assert_about(clock.now(), 2.0);
    let (byte, reader) = read.await.unwrap();
    assert_eq!(byte, 1);
    server = reader.unsplit(write.await.unwrap());
    assert_eq!(
        send(&mut client, &mut server, b"later").await,
        Duration::ZERO
    );
}

/// A connection has no response, but a cut of it can be delayed, whatever the order of the rules.
#[tokio::test(start_paused = true)]
async fn a_cut_is_as_slow_as_the_connection() {
    let pad = Latency::fixed(secs(2.0)).unwrap();
    let pad = Fault::Latency(pad, When::After);
    let close = Fault::abort(Abort::Cut(CutKind::Close));
    for faults in [[pad.clone(), close.clone()], [close, pad]] {
        let [first, second] = faults;
        let injector = Injector::new();
        injector.put(rule(first).then(second));
        let clock = Clock::monotonic();
        let (mut client, mut server) = through(&injector).await;
        server.read_u8().await.unwrap_err();
        drop(server);
        client.read_u8().await.unwrap_err();
        assert_about(clock.now(), 2.0);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_rule_is_over_the_rest_passes() {
    for fault in [
        Fault::Body(throttle(1), Direction::Response),
        Fault::Body(
            BytesFault::stall_after(0, secs(3600.0)).unwrap(),
            Direction::Response,
        ),
        Fault::Body(
            BytesFault::each_chunk(secs(3600.0)).unwrap(),
            Direction::Response,
        ),
        Fault::hang(secs(3600.0)).unwrap(),
    ] {
        let injector = armed(fault);
        let (mut client, mut server) = through(&injector).await;
        assert_eq!(injector.counts("r").unwrap().active, 1);
        let halt = async {
            tokio::time::sleep(secs(10.0)).await;
            injector.halt("enough");
        };
        let ((), time) = tokio::join!(halt, send(&mut server, &mut client, &[7; 5_000]));
        assert_about(time, 10.0);
        // The connection lets go of it when it is next used.
        send(&mut server, &mut client, b"more").await;
        assert_eq!(injector.counts("r").unwrap().active, 0);
    }
}

#[tokio::test]
async fn it_counts_once_for_as_long_as_the_connection_lasts() {
    let injector = armed(Fault::Body(throttle(1_000_000), Direction::Response));
    let (mut client, mut server) = through(&injector).await;
    for _ in 0..3 {
        send(&mut server, &mut client, b"123").await;
    }
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected, counts.active), (1, 1, 1));
    drop(server);
    assert_eq!(injector.counts("r").unwrap().active, 0);
}

#[tokio::test]
async fn a_rule_may_choose_by_the_peer() {
    for (peer, hit) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let injector = Injector::new();
        let matcher = Matcher::new().label("peer", Text::is(peer));
        injector.put(rule(Fault::abort(reset())).matching(matcher));
        let (mut client, mut server) = through_tcp(&injector).await;
        tokio::spawn(async move { server.write_u8(1).await.map(|()| server) });
        let read = timeout(FAR, client.read_u8()).await.unwrap();
        match hit {
            true => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset),
            false => assert_eq!(read.unwrap(), 1),
        }
    }
}

#[tokio::test]
async fn a_connection_is_closed_or_reset_at_once_or_later() {
    for (fault, bytes, kind) in [
        (
            Fault::abort(reset()),
            0,
            Some(io::ErrorKind::ConnectionReset),
        ),
        (
            Fault::abort(Abort::Cut(CutKind::Refuse)),
            0,
            Some(io::ErrorKind::ConnectionReset),
        ),
        (Fault::abort(Abort::Cut(CutKind::Close)), 0, None),
        (Fault::error("no"), 0, None),
        (
            Fault::abort_after(reset(), 5, Direction::Response),
            5,
            Some(io::ErrorKind::ConnectionReset),
        ),
        (
            Fault::abort_after(Abort::Cut(CutKind::Close), 5, Direction::Response),
            5,
            None,
        ),
        (
            Fault::abort_after(reset(), 5, Direction::Request),
            0,
            Some(io::ErrorKind::ConnectionReset),
        ),
        (
            Fault::abort_after(Abort::Cut(CutKind::Close), 7, Direction::Request),
            0,
            None,
        ),
    ] {
        let injector = armed(fault.clone());
        let (mut client, mut server) = through_tcp(&injector).await;
        client.write_all(b"request").await.unwrap();
        let asked = fault.clone();
        let server = tokio::spawn(async move {
            // It looks at the request, or does not get to.
            let _ = server.read_exact(&mut [0; 7]).await;
            if let Fault::Abort(_, Some(after)) = asked
                && after.direction == Direction::Request
            {
                return server.read_exact(&mut [0; 1]).await.map(|_| 0);
            }
            server.write_all(b"an answer").await.map(|()| 9)
        });
        let mut seen = Vec::new();
        let read = timeout(FAR, client.read_to_end(&mut seen)).await.unwrap();
        assert_eq!(read.err().map(|error| error.kind()), kind, "{fault:?}");
        assert_eq!(seen.len(), bytes, "{fault:?}");
        assert!(server.await.unwrap().is_err(), "{fault:?}");
        assert_eq!(injector.counts("r").unwrap().injected, 1);
    }
}

#[tokio::test]
async fn an_axum_server_obeys() {
    let injector = armed(Fault::latency(Latency::fixed(secs(0.2)).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/", axum::routing::get(async || "hello"));
    let listener = InjectListener::with_injector(listener, SITE, &injector);
    tokio::spawn(async { axum::serve(listener, app).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async || {
        let clock = Clock::monotonic();
        let answer = client
            .get(format!("http://{address}/"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
        clock.now()
    };
    assert!(ask().await >= secs(0.2));
    ask().await;
    assert_eq!(
        injector.counts("r").unwrap().injected,
        1,
        "it is the same connection"
    );
}
