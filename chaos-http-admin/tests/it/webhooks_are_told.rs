//! A webhook is told of what arms and ends, once and in order, however its receiver behaves; and
//! nobody waits for it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use chaos_core::{Clock, Fault, Injector, Lifetime, Rule, audit::Actor, inject, rule::Change};
use chaos_http_admin::{Admin, Webhook};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::support::wire::{LONG, SOON};

/// What arrived, and what is answered to it.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    /// 200 when there are none left.
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// How long the receiver takes for each answer.
    delay: Duration,
    /// What has to be closed before anything is answered.
    held: Option<Arc<Semaphore>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Self, SocketAddr) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        receiver.serve().await
    }

    async fn serve(self) -> (Self, SocketAddr) {
        let router = Router::new().route("/hook/secret", post(take));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = axum::serve(listener, router.with_state(self.clone()));
        tokio::spawn(serve.into_future());
        (self, address)
    }

    async fn until(&self, many: usize) -> Vec<Value> {
        let enough = async {
            while self.got.lock().unwrap().len() < many {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, enough).await.expect("enough messages");
        let got = self.got.lock().unwrap();
        let json = |(_, body): &(HeaderMap, Bytes)| serde_json::from_slice(body).unwrap();
        got.iter().map(json).collect()
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    receiver.got.lock().unwrap().push((headers, body));
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    sleep(receiver.delay).await;
    if let Some(held) = receiver.held {
        assert!(held.acquire().await.is_err(), "it has no permits");
    }
    (
        StatusCode::from_u16(answer).unwrap(),
        [("retry-after", "1")],
    )
}

fn url(address: SocketAddr) -> String {
    format!("http://user:password@{address}/hook/secret?key=value")
}

fn rule(id: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), "db.read".parse().unwrap());
    Rule::new(id, site, Fault::error("lost"))
}

fn events(got: &[Value]) -> Vec<&str> {
    got.iter().map(|it| it["event"].as_str().unwrap()).collect()
}

/// The status of the only webhook, when it is as it should be.
async fn status(admin: &Admin, is_so: impl Fn(&Value) -> bool) -> Value {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    let clock = Clock::monotonic();
    loop {
        let request = Request::get("/v1/status").header("host", "localhost");
        let request = request.body(Body::empty()).unwrap();
        let answer = admin.router().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap();
        let status: Value = serde_json::from_slice(&body).unwrap();
        let status = status["webhooks"][0].clone();
        if is_so(&status) {
            return status;
        }
        assert!(clock.now() < LONG, "{status}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_message_says_what_happened_to_programs() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address))
        .unwrap()
        .service("shop")
        .signed_with("hush");
    let admin = Admin::new(injector.clone()).webhook(hook);
    let alice = Actor::new("alice").at("10.0.0.7:9").because("GameDay 12");
    let put = Change::Put(rule("a"));
    injector.as_actor(alice.clone()).apply(put, None).unwrap();
    injector.put(rule("off").enabled(false));
    receiver.until(1).await;
    injector.as_actor(alice).halt();
    injector.resume();
    let got = receiver.until(3).await;
    assert_eq!(events(&got), ["arm", "halt", "resume"]);
    let arm = &got[0];
    assert_eq!(arm["service"], "shop");
    assert_eq!(
        arm["text"],
        "shop: alice at 10.0.0.7:9 armed a on db.read: GameDay 12"
    );
    let entry = &arm["entry"];
    assert_eq!((&entry["id"], &entry["action"]), (&json!(1), &json!("put")));
    assert_eq!(
        entry["changes"][0]["after"]["faults"],
        json!([{ "error": "lost" }])
    );
    assert_eq!(arm["run"].as_str().unwrap().len(), 16);

    for (headers, body) in &*receiver.got.lock().unwrap() {
        assert_eq!(headers["content-type"], "application/json");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
        mac.update(body);
        let sum = mac.finalize().into_bytes();
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(headers["x-chaos-signature"], format!("sha256={hex}"));
    }
    let status = status(&admin, |it| it["delivered"] == 3).await;
    let expected = json!({
        "to": format!("http://{address}"), "kind": "json",
        "delivered": 3, "failed": 0, "lost": 0, "error": null,
    });
    assert_eq!(status, expected);
}

#[tokio::test]
async fn a_message_says_what_happened_to_people() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::slack(&url(address)).unwrap().service("R&D");
    let _admin = Admin::new(injector.clone()).webhook(hook);
    injector.halt("<!channel> & <https://evil.example|all is well>");
    let got = receiver.until(1).await;
    let text = "*R&amp;D*: code halted all injection: \
                &lt;!channel&gt; &amp; &lt;https://evil.example|all is well&gt;";
    assert_eq!(got, [json!({ "text": text })]);
    let got = receiver.got.lock().unwrap();
    assert!(!got[0].0.contains_key("x-chaos-signature"));
}

/// Returns the number of entries that the messages are about.
fn entries(got: &[Value]) -> u64 {
    let folded = got.iter().map(|it| it["folded"]["entries"].as_u64());
    folded.map(|entries| entries.unwrap_or(1)).sum()
}

/// The halt waited behind each arm: a receiver that takes a second for each was told of it after
/// twenty minutes, and of two hundred arms never.
#[tokio::test]
async fn twelve_hundred_arms_and_a_halt_are_told_to_a_slow_receiver() {
    let held = Arc::new(Semaphore::new(0));
    let receiver = Receiver {
        held: Some(Arc::clone(&held)),
        ..Receiver::default()
    };
    let (receiver, address) = receiver.serve().await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap().service("shop");
    let admin = Admin::new(injector.clone()).webhook(hook);
    injector.put(rule("first"));
    receiver.until(1).await;
    for n in 1..1200 {
        injector.put(rule(&format!("r{n:04}")));
    }
    let clock = Clock::monotonic();
    injector.halt("an incident");
    let got = receiver.until(2).await;
    assert!(clock.now() < SOON, "{:?}", clock.now());
    assert_eq!(got[1]["entry"]["reason"], "an incident");
    held.close();
    let status = status(&admin, |it| it["delivered"] == 1201).await;
    assert_eq!((&status["failed"], &status["lost"]), (&json!(0), &json!(0)));
    let got = receiver.until(3).await;
    assert_eq!(events(&got), ["arm", "halt", "arm"]);
    assert_eq!(entries(&got), 1201);
    let folded = &got[2];
    let armed = &folded["folded"]["armed"];
    assert_eq!(armed["count"], 1199);
    assert_eq!(armed["rules"].as_array().unwrap().len(), 100);
    let text = folded["text"].as_str().unwrap();
    assert!(text.contains(" armed since 2"), "{text}");
}

/// The halt waited for the answer to an arm: ten seconds, and up to a minute with retries.
#[tokio::test]
async fn a_halt_does_not_wait_for_a_receiver_that_hangs_nor_for_a_retry() {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hangs.local_addr().unwrap();
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap();
    let admin = Admin::new(injector.clone()).webhook(hook);
    injector.put(rule("first"));
    let (mut silent, _) = timeout(LONG, hangs.accept()).await.unwrap().unwrap();
    let clock = Clock::monotonic();
    injector.halt("an incident");
    receive(&hangs, "an incident").await;
    status(&admin, |it| it["delivered"] == 1).await;
    assert!(clock.now() < SOON, "{:?}", clock.now());

    // The answer to the first message is that it be sent again, in a minute.
    let busy =
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 50\r\n\r\n";
    silent.write_all(busy).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    injector.resume();
    receive(&hangs, "resume").await;
    status(&admin, |it| it["delivered"] == 2).await;
    assert!(clock.now() < 2 * SOON, "{:?}", clock.now());
}

/// Accepts a connection, and answers its request once that has come with this text.
async fn receive(listener: &TcpListener, text: &str) {
    let (mut connection, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    let mut request = Vec::new();
    while !String::from_utf8_lossy(&request).contains(text) {
        let read = connection.read_buf(&mut request).await.unwrap();
        assert!(read > 0, "{request:?}");
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    connection.write_all(answer).await.unwrap();
}

/// Each of a thousand halts was told by itself, so that the last was told after a thousand others.
#[tokio::test]
async fn the_last_of_a_thousand_halts_is_told_soon() {
    let receiver = Receiver {
        delay: Duration::from_millis(500),
        ..Receiver::default()
    };
    let (receiver, address) = receiver.serve().await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap();
    let admin = Admin::new(injector.clone()).webhook(hook);
    for n in 0..300 {
        injector.halt("noise");
        injector.resume();
        if n % 100 == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    }
    injector.halt("an incident");
    let status = status(&admin, |it| it["delivered"] == 601).await;
    assert_eq!((&status["failed"], &status["lost"]), (&json!(0), &json!(0)));
    let got = receiver.until(2).await;
    assert!(got.len() < 12, "{} messages", got.len());
    let last = got.last().unwrap();
    assert_eq!(
        (&last["event"], &last["entry"]["reason"]),
        (&json!("halt"), &json!("an incident"))
    );
}

/// Mattermost and Discord, which take messages in Slack's format, notified everyone and showed a link
/// under another name.
#[tokio::test]
async fn a_reason_notifies_nobody_and_hides_no_link() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::slack(&url(address)).unwrap().service("@here");
    let _admin = Admin::new(injector.clone()).webhook(hook);
    let reasons = [
        "@channel @everyone @all [x](https://evil.example)",
        "<!channel> <@U1> ![x](https://evil.example/pixel.png) [[a]](//evil.example)",
        "@@here ](](",
    ];
    for reason in reasons {
        let eve = Actor::new("@eve").because(reason);
        injector.as_actor(eve).halt();
    }
    injector.halt("a\u{2028}b\u{202e}c");
    receiver.until(4).await;
    injector.put(rule("a").because("@channel [x](https://evil.example)"));
    let got = receiver.until(5).await;
    for message in &got {
        let text = message["text"].as_str().unwrap();
        let mentions = text.match_indices('@');
        let mut behind = mentions.map(|(at, _)| text[at + 1..].chars().next());
        assert!(behind.all(|next| next == Some('\u{200b}')), "{text:?}");
        for markup in ["](", "<", ">", "\u{2028}", "\u{202e}"] {
            assert!(!text.contains(markup), "{text:?}");
        }
    }
    assert_eq!(
        got[0]["text"],
        "*@\u{200b}here*: @\u{200b}eve halted all injection: @\u{200b}channel @\u{200b}everyone \
         @\u{200b}all [x]\u{200b}(https://evil.example)"
    );
}

#[tokio::test]
async fn an_expiry_is_told_on_time_though_nobody_asks() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap().service("shop");
    let _admin = Admin::new(injector.clone()).webhook(hook);
    let life = Lifetime::new(Duration::from_millis(300)).unwrap();
    let clock = Clock::monotonic();
    injector.put(rule("a").lifetime(life));
    let got = receiver.until(2).await;
    assert!(clock.now() < SOON, "{:?}", clock.now());
    assert_eq!(events(&got), ["arm", "expire"]);
    assert_eq!(got[1]["text"], "shop: a has expired");
}

#[tokio::test]
async fn an_extension_is_told() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap().service("shop");
    let _admin = Admin::new(injector.clone()).webhook(hook);
    injector.put(rule("a"));
    receiver.until(1).await;
    let alice = injector.as_actor(Actor::new("alice").because("two minutes more"));
    alice.extend("a", Duration::from_secs(120), None).unwrap();
    let got = receiver.until(2).await;
    assert_eq!(events(&got), ["arm", "extend"]);
    let text = got[1]["text"].as_str().unwrap();
    assert!(text.starts_with("shop: alice extended a by 120s"), "{text}");
    assert!(text.ends_with(": two minutes more"), "{text}");
}

#[tokio::test]
async fn the_last_word_about_a_rule_is_how_it_ended() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let hook = Webhook::json(&url(address)).unwrap().service("shop");
    let _admin = Admin::new(injector.clone()).webhook(hook);
    let edit = |change| injector.apply(change, None).unwrap();
    // Disabled; deleted when that ends nothing, and when it does.
    injector.put(rule("a"));
    edit(Change::Edit(rule("a").enabled(false)));
    injector.remove(&"a".parse().unwrap());
    injector.put(rule("b"));
    injector.remove(&"b".parse().unwrap());
    receiver.until(4).await;
    // Replaced by one that is disabled.
    injector.put(rule("c"));
    injector.put(rule("c").enabled(false));
    // Left out of a list, which may arm another, or be empty.
    injector.put(rule("d"));
    injector.replace(vec![rule("e")]).unwrap();
    injector.clear();
    injector.clear();
    // A halt does not wait for messages about rules.
    receiver.until(9).await;
    injector.halt("the end of the test");
    let got = receiver.until(10).await;
    let told: Vec<_> = (got.iter())
        .map(|it| (it["event"].as_str().unwrap(), it["text"].as_str().unwrap()))
        .collect();
    let expected = [
        ("arm", "shop: code armed a on db.read"),
        ("disarm", "shop: code disarmed a on db.read"),
        ("arm", "shop: code armed b on db.read"),
        ("disarm", "shop: code disarmed b on db.read"),
        ("arm", "shop: code armed c on db.read"),
        ("disarm", "shop: code disarmed c on db.read"),
        ("arm", "shop: code armed d on db.read"),
        (
            "arm",
            "shop: code armed e on db.read, and disarmed d on db.read",
        ),
        ("disarm", "shop: code disarmed e on db.read"),
        (
            "halt",
            "shop: code halted all injection: the end of the test",
        ),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_next_message_waits_its_turn() {
    let (receiver, address) = Receiver::start(&[500, 429, 503]).await;
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).webhook(Webhook::json(&url(address)).unwrap());
    let clock = Clock::monotonic();
    injector.put(rule("a"));
    receiver.until(1).await;
    injector.remove(&"a".parse().unwrap());
    injector.put(rule("b"));
    let got = receiver.until(6).await;
    assert_eq!(events(&got), ["arm", "arm", "arm", "arm", "disarm", "arm"]);
    assert!(got[..4].iter().all(|again| *again == got[0]));
    // Once half a second at least, and once the second that it asked for.
    assert!(
        clock.now() > Duration::from_millis(1500),
        "{:?}",
        clock.now()
    );
    let status = status(&admin, |it| it["delivered"] == 3).await;
    assert_eq!(
        (&status["failed"], &status["error"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn what_is_refused_is_given_up_and_the_next_message_has_its_turn() {
    for refusal in [400, 404, 410, 302] {
        let (receiver, address) = Receiver::start(&[refusal]).await;
        let injector = Injector::new();
        let admin = Admin::new(injector.clone()).webhook(Webhook::json(&url(address)).unwrap());
        injector.halt("x");
        let failing = status(&admin, |it| it["failed"] == 1).await;
        let error = failing["error"].as_str().unwrap();
        assert!(error.contains(&refusal.to_string()), "{error}");
        injector.resume();
        let got = receiver.until(2).await;
        assert_eq!(events(&got), ["halt", "resume"]);
        let fine = status(&admin, |it| it["delivered"] == 1).await;
        assert_eq!((&fine["failed"], &fine["error"]), (&json!(1), &Value::Null));
    }
}

/// The messages about rules have a connection of their own: a halt that is told says nothing of them.
#[tokio::test]
async fn an_error_is_shown_until_a_message_about_the_same_is_delivered() {
    let (receiver, address) = Receiver::start(&[404]).await;
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).webhook(Webhook::json(&url(address)).unwrap());
    injector.put(rule("a"));
    status(&admin, |it| it["failed"] == 1).await;
    injector.halt("x");
    let told = status(&admin, |it| it["delivered"] == 1).await;
    assert!(told["error"].as_str().unwrap().contains("404"), "{told}");
    injector.put(rule("b"));
    let fine = status(&admin, |it| it["delivered"] == 2).await;
    assert_eq!(fine["error"], Value::Null);
    assert_eq!(events(&receiver.until(3).await), ["arm", "halt", "arm"]);
}

/// One that is gone, and one that takes a connection and never says anything.
#[tokio::test]
async fn a_dead_receiver_holds_up_neither_the_service_nor_the_port() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for address in [address, silent.local_addr().unwrap()] {
        let injector = Injector::new();
        let hook = Webhook::json(&url(address)).unwrap();
        let admin = Admin::new(injector.clone()).webhook(hook.within(Duration::from_secs(1)));
        let server = admin.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = server.local_addr();
        let clock = Clock::monotonic();
        for n in 0..50 {
            let body = r#"{"site":"db.read","faults":[{"error":"lost"}]}"#;
            let request = format!(
                "PUT /v1/rules/r{n} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len(),
            );
            let mut client = TcpStream::connect(port).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
            assert!(inject!(injector: &injector, "db.read").is_err());
        }
        assert!(clock.now() < Duration::from_secs(10), "{:?}", clock.now());
        let status = status(&admin, |it| it["failed"].as_u64() > Some(0)).await;
        assert_eq!(status["delivered"], 0);
        let error = status["error"].as_str().unwrap();
        for secret in ["user", "password", "secret", "key", "value"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
}

#[tokio::test]
async fn it_ends_with_the_last_admin() {
    let (receiver, address) = Receiver::start(&[]).await;
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).webhook(Webhook::json(&url(address)).unwrap());
    let router = admin.router();
    drop(admin);
    injector.halt("x");
    receiver.until(1).await;
    drop(router);
    sleep(Duration::from_millis(100)).await;
    injector.resume();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.until(1).await.len(), 1);
}
