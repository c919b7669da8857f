//! A service that uses reqwest takes faults without a change of its calls: the client has reqwest's own methods.
#![expect(
    clippy::disallowed_methods,
    reason = "tokens are signed for the time of day"
)]

use std::time::{Duration, SystemTime};

use axum::{Router, extract::Request, response::IntoResponse};
use chaos_core::{Injected, Injector, Overlay, token::TokenKey, wire};
use chaos_tower::{TOKEN_HEADER, reqwest::Client};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::net::TcpListener;

/// Answers with the head and the body of the request.
async fn echo(request: Request) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers = &head.headers;
    format!("{} {} {headers:?} {body:?}", head.method, head.uri)
}

async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(echo);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn client(injector: &Injector) -> Client {
    Client::with_injector(plain(), "http.client", injector)
}

fn aim(injector: &Injector, fault: serde_json::Value) {
    let rule = json!({ "site": "http.client", "faults": [fault] });
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
}

/// Makes the requests that a client can make, each with the text after its path.
macro_rules! requests {
    ($client:expr, $url:expr) => {{
        let (client, url) = ($client, $url);
        let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("x"))]);
        let requests = [
            client.get(format!("{url}/get")).query(&[("q", "a b")]),
            client.post(format!("{url}/post")).json(&json!({ "a": 1 })),
            client.put(format!("{url}/put")).form(&[("a", "b c")]),
            client.patch(format!("{url}/patch")).body("text"),
            client.delete(format!("{url}/delete")).basic_auth("me", Some("secret")),
            client.head(format!("{url}/head")).bearer_auth("token"),
            client.request(Method::OPTIONS, url).header("x-a", 7).header("x-a", "8"),
            client.get(url).headers(headers).version(Version::HTTP_11),
            client.get(url).timeout(Duration::from_secs(9)).try_clone().unwrap(),
        ];
        let mut heard = Vec::new();
        for request in requests {
            heard.push(request.send().await.unwrap().text().await.unwrap());
        }
        let built = client.get(url).build().unwrap();
        heard.push(client.execute(built).await.unwrap().text().await.unwrap());
        heard
    }};
}

#[tokio::test]
async fn the_server_hears_the_same_idle_and_armed() {
    let url = &*server().await;
    let expected: Vec<String> = requests!(plain(), url);
    assert!(expected[1].contains("application/json"), "{}", expected[1]);
    let injector = Injector::new();
    assert_eq!(requests!(client(&injector), url), expected);
    aim(&injector, json!({ "latency": "1ms" }));
    assert_eq!(requests!(client(&injector), url), expected);
    assert_eq!(injector.counts("r").unwrap().injected, 10);
    // What reqwest's builder has, and this one has not.
    let with = client(&injector).get(url);
    let with = with.with(|builder| builder.header("x-own", "1"));
    let heard = with.send().await.unwrap().text().await.unwrap();
    assert!(heard.contains("x-own"), "{heard}");
}

#[tokio::test]
async fn errors_are_reqwests_own() {
    let injector = Injector::new();
    let http = client(&injector);
    let url = "http://stock.example/a";
    aim(
        &injector,
        json!({ "error": { "kind": "connection_refused" } }),
    );
    let error: reqwest::Error = http.get(url).send().await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(error.url().unwrap().as_str(), url);
    assert_eq!(Injected::find(&error).unwrap().rule().as_str(), "r");

    aim(&injector, json!({ "hang": "1h" }));
    let in_time = http.get(url).timeout(Duration::from_millis(50)).send();
    assert!(in_time.await.unwrap_err().is_timeout());

    aim(&injector, json!({ "status": 503 }));
    let answer = http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);

    // One that is not sent passes no site.
    let before = injector.counts("r").unwrap().matched;
    assert!(http.get("no url").send().await.unwrap_err().is_builder());
    let bad = http.get(url).header("no header name", "").send();
    assert!(bad.await.unwrap_err().is_builder());
    assert_eq!(injector.counts("r").unwrap().matched, before);
    // The plain client passes none.
    assert!(
        http.get_ref()
            .get("http://127.0.0.1:1/")
            .send()
            .await
            .is_err()
    );
    assert_eq!(injector.counts("r").unwrap().matched, before);
    assert_eq!(http.site().name(), "http.client");
}

/// A handler that spawns its calls, or keeps the client in a state, needs both.
#[tokio::test]
async fn a_call_can_be_spawned() {
    let url = server().await;
    let injector = Injector::new();
    let call = {
        let http = client(&injector).clone();
        http.get(&url).send()
    };
    assert_eq!(tokio::spawn(call).await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn tokens_are_passed_on_when_asked() {
    let url = server().await;
    let injector = Injector::new();
    let key = TokenKey::new(&[7; 32]).unwrap();
    let minute = Duration::from_secs(60);
    let rule = json!({ "id": "r", "site": "elsewhere", "faults": [{ "status": 503 }] });
    let rules = [wire::rule_from_value(rule, None).unwrap()];
    let token = key.sign("me", minute, &rules, SystemTime::now()).unwrap();
    let verified = key.verify(&token, SystemTime::now()).unwrap();
    let overlay = Overlay::of_token(&injector, verified, &token).unwrap();
    let heard = async |http: Client| http.get(&url).send().await.unwrap().text().await.unwrap();
    let http = client(&injector);
    let passes = http.clone().pass_tokens();
    assert!(
        !overlay
            .run(heard(http))
            .await
            .contains(TOKEN_HEADER.as_str())
    );
    assert!(!heard(passes.clone()).await.contains(TOKEN_HEADER.as_str()));
    assert!(
        overlay
            .run(heard(passes))
            .await
            .contains(TOKEN_HEADER.as_str())
    );
}
