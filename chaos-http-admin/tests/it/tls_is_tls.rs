//! A port with TLS speaks TLS alone, shows its certificate, and asks for one if it is told to.

use std::time::{Duration, SystemTime};

use chaos_core::{Clock, Injector, testing::ManualClock};
use chaos_http_admin::{Admin, Tls};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_rustls::TlsConnector;

use crate::support::{
    alone::is_alone,
    log::Log,
    tls::{Authority, client, connect},
    wire::{ANN, Answer, LONG, Running, exchange, request, tokens},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const HALT: &str = r#"{"reason":"x"}"#;

/// A port on loopback that asks for tokens, and its authority.
async fn start(clients: Option<&Authority>) -> (Running, Authority) {
    let authority = Authority::new();
    let ours = authority.sign(&["localhost"]);
    let mut tls = Tls::from_pem(&ours.certificate, &ours.key).unwrap();
    if let Some(clients) = clients {
        tls = tls.client_certificates(clients.pem()).unwrap();
    }
    let injector = Injector::new();
    let admin = Admin::new(injector.clone())
        .access_tokens(tokens())
        .tls(tls);
    // Other machines may come, too: nothing needs to be allowed for that.
    let port = Running::start_at("0.0.0.0:0", &injector, admin).await;
    (port, authority)
}

async fn halt(port: &Running, client: &TlsConnector) -> Answer {
    let headers = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
    let request = request("POST /v1/halt", &headers, HALT);
    match connect(port, client).await {
        Ok(stream) => exchange(stream, request.as_bytes()).await,
        Err(_) => Answer(Vec::new()),
    }
}

#[tokio::test]
async fn it_shows_its_certificate_and_asks_for_tokens_all_the_same() {
    let (port, authority) = start(None).await;
    let client = client(&authority, None, b"http/1.1");
    let stream = connect(&port, &client).await.unwrap();
    let (_, session) = stream.get_ref();
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(
        session.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    let none = request("GET /v1/rules", "Host: localhost\r\n", "");
    exchange(stream, none.as_bytes()).await.problem(401);
    halt(&port, &client).await.expect(200);
    assert_eq!(port.injector.status().state.as_str(), "halted");
    // A page of its own has an address that begins with https.
    let own =
        format!("Host: localhost\r\nOrigin: https://localhost\r\nAuthorization: Bearer {ANN}\r\n");
    let stream = connect(&port, &client).await.unwrap();
    let resume = request("POST /v1/resume", &own, HALT);
    exchange(stream, resume.as_bytes()).await.expect(200);
}

#[tokio::test]
async fn whoever_speaks_plainly_or_of_another_protocol_gets_nothing() {
    let (port, authority) = start(None).await;
    let answer = port.ask_as(ANN, "POST /v1/halt", HALT).await;
    assert_eq!(answer.status(), 0, "{}", answer.text());
    // It does not speak HTTP/2, and does not pretend to.
    let other = client(&authority, None, b"h2");
    connect(&port, &other).await.unwrap_err();
    // Someone else's authority does not vouch for it.
    let foreign = client(&Authority::new(), None, b"http/1.1");
    connect(&port, &foreign).await.unwrap_err();
    assert_eq!(port.injector.status().state.as_str(), "idle");
}

#[tokio::test]
async fn only_certificates_that_were_asked_for_get_in() {
    let clients = Authority::new();
    let (port, authority) = start(Some(&clients)).await;
    let strangers = Authority::new();
    let stranger = strangers.sign(&["ops.example"]);
    for shown in [None, Some(&stranger)] {
        let client = client(&authority, shown, b"http/1.1");
        let answer = halt(&port, &client).await;
        assert_eq!(answer.status(), 0, "{}", answer.text());
    }
    assert_eq!(port.injector.audit().last(), 0);

    let known = clients.sign(&["ops.example"]);
    let known = client(&authority, Some(&known), b"http/1.1");
    halt(&port, &known).await.expect(200);
    let nameless = clients.sign(&[]);
    let nameless = client(&authority, Some(&nameless), b"http/1.1");
    let headers = "Host: localhost\r\nAuthorization: Bearer none-of-the-tokens\r\n";
    let wrong = request("POST /v1/halt", headers, HALT);
    let stream = connect(&port, &nameless).await.unwrap();
    exchange(stream, wrong.as_bytes()).await.problem(401);

    let audit = port.injector.audit().after(0).entries;
    assert_eq!(audit[0].actor.name(), "ann, certificate ops.example");
    let stranger = audit[1].actor.name();
    assert!(
        stranger.starts_with("stranger, certificate sha256:"),
        "{stranger}"
    );
}

/// A session that is resumed does not show the client's certificate again, which may have expired.
#[tokio::test]
async fn a_client_certificate_is_shown_on_every_connection() {
    use rustls::HandshakeKind;
    let clients = Authority::new();
    let (port, authority) = start(Some(&clients)).await;
    let known = clients.sign(&["ops.example"]);
    let known = client(&authority, Some(&known), b"http/1.1");
    let get = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
    for _ in 0..3 {
        let mut stream = connect(&port, &known).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
        // The tickets of TLS 1.3 come with the response.
        let answer = exchange(&mut stream, request("GET /v1/rules", &get, "").as_bytes()).await;
        answer.expect(200);
    }
}

#[tokio::test]
async fn whoever_does_not_shake_hands_loses_the_connection() {
    let (port, authority) = start(None).await;
    let mut silent = port.connect().await;
    let clock = Clock::monotonic();
    let mut none = Vec::new();
    let read = timeout(LONG, silent.read_to_end(&mut none)).await;
    drop(read.expect("an end"));
    assert!(none.is_empty());
    assert!(clock.now() >= Duration::from_secs(4), "{:?}", clock.now());
    // A stop does not wait for them.
    let _silent = port.connect().await;
    halt(&port, &client(&authority, None, b"http/1.1"))
        .await
        .expect(200);
    let clock = Clock::monotonic();
    timeout(LONG, port.server.stop()).await.unwrap();
    assert!(clock.now() < Duration::from_secs(4), "{:?}", clock.now());
}

#[test]
fn what_does_not_fit_is_refused() {
    let authority = Authority::new();
    let (one, other) = (authority.sign(&["a"]), authority.sign(&["b"]));
    let is_refused = |certificate: &str, key: &str| {
        let error = Tls::from_pem(certificate, key).unwrap_err();
        assert!(std::error::Error::source(&error).is_some());
        let told = format!("{error} {error:?}");
        assert!(!told.contains("PRIVATE"), "{told}");
    };
    is_refused(&one.certificate, &other.key);
    // Nor is a key told whose line breaks were lost: as bytes, it would be long.
    let lines_lost = one.key.replace('\n', "");
    let end_lost = lines_lost.split("-----END").next().unwrap().to_owned();
    for lost in [&lines_lost, &end_lost] {
        for (certificate, key) in [(&one.certificate, lost), (lost, &one.key)] {
            let error = Tls::from_pem(certificate, key).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap();
            let told = format!("{error} {error:?} {cause}");
            assert!(told.len() < 300, "{told}");
        }
    }
    is_refused("", &one.key);
    is_refused(&one.certificate, "");
    is_refused(&one.key, &one.certificate);
    let tls = Tls::from_pem(&one.certificate, &one.key).unwrap();
    assert_eq!(format!("{tls:?}"), "Tls { .. }");
    tls.client_certificates("").unwrap_err();
}

/// Certificates end, and the log says so before an operator is locked out.
#[test]
fn a_certificate_that_ends_is_warned_of_when_the_port_opens() {
    const THIS: &str = "tls_is_tls::a_certificate_that_ends_is_warned_of_when_the_port_opens";
    if !is_alone(THIS) {
        return;
    }
    let log = Log::of_the_process();
    let authority = Authority::new();
    let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
    let injector = Injector::with_clock(ManualClock::starting_at(now));
    for (expected, from, days) in [
        (None, -1, 90),
        (None, -60, 8),
        (Some("expires at"), -60, 6),
        (Some("expired at"), -60, -1),
        (Some("not valid before"), 1, 90),
        // Of a short life, the last third is warned of.
        (None, -1, 2),
        (Some("expires at"), -3, 1),
    ] {
        let day = |days: i32| match days.is_negative() {
            true => now - days.unsigned_abs() * DAY,
            false => now + days.unsigned_abs() * DAY,
        };
        let pair = authority.sign_for(&["localhost"], day(from)..day(days));
        let tls = Tls::from_pem(&pair.certificate, &pair.key).unwrap();
        let admin = Admin::new(injector.clone()).tls(tls);
        log.0.lock().unwrap().clear();
        drop(admin.bind("127.0.0.1:0".parse().unwrap()).unwrap());
        let said = log.said();
        match expected {
            Some(expected) => assert!(said.contains(expected), "{from}..{days}: {said}"),
            None => assert!(!said.contains("certificate"), "{from}..{days}: {said}"),
        }
    }
}

/// A client that sends what begins a handshake costs the port more than itself. Two hundred do so before
/// one whose address is another: it is served before most of them, where it came after all of them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn handshakes_of_strangers_do_not_delay_a_halt() {
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpSocket, TcpStream},
    };
    const STRANGERS: usize = 200;
    let (port, authority) = start(None).await;
    let client = client(&authority, None, b"http/1.1");
    let hello = {
        let (ours, mut theirs) = tokio::io::duplex(16 * 1024);
        let client = client.clone();
        let name = "localhost".try_into().unwrap();
        let connecting = tokio::spawn(async move { client.connect(name, ours).await.map(drop) });
        let mut hello = vec![0; 16 * 1024];
        let sent = theirs.read(&mut hello).await.unwrap();
        connecting.abort();
        hello.truncate(sent);
        hello
    };
    let stranger = async || -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(port.address).await.unwrap()
    };
    let mut fewest = STRANGERS;
    // This thread may be held up between the hellos and the halt, so the best of some tries counts.
    for _ in 0..10 {
        let mut strangers = Vec::new();
        for _ in 0..STRANGERS {
            strangers.push(stranger().await);
        }
        // Until the port has accepted all.
        tokio::time::sleep(Duration::from_millis(100)).await;
        for stranger in &mut strangers {
            stranger.write_all(&hello).await.unwrap();
        }
        halt(&port, &client).await.expect(200);
        let answered = strangers.iter().filter(|stranger| {
            let mut byte = [0];
            stranger.try_read(&mut byte).is_ok()
        });
        fewest = fewest.min(answered.count());
        if fewest < STRANGERS / 2 {
            return;
        }
    }
    panic!("{fewest} strangers were served before");
}
