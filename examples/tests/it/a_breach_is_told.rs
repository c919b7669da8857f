//! A guard rail that trips on the shop is told at once to those who listen, to the webhook and in the
//! file, with its numbers.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use chaos_examples::{Error, running::RunningShop};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

const LONG: Duration = Duration::from_secs(20);

type Got = Arc<Mutex<Vec<Value>>>;

async fn take(State(got): State<Got>, Json(body): Json<Value>) {
    got.lock().unwrap().push(body);
}

/// The data of the first event of this name.
async fn event(events: &mut reqwest::Response, name: &str) -> Result<Value, Error> {
    let (mark, mut text) = (format!("event: {name}\n"), String::new());
    loop {
        let whole = text
            .split_inclusive("\n\n")
            .filter(|it| it.ends_with("\n\n"));
        if let Some(event) = whole.into_iter().find(|it| it.contains(&mark)) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            return Ok(serde_json::from_str(data.ok_or("an event has data")?)?);
        }
        let chunk = timeout(LONG, events.chunk())
            .await??
            .ok_or("the stream ended")?;
        text.push_str(std::str::from_utf8(&chunk)?);
    }
}

#[tokio::test]
async fn by_event_by_webhook_and_in_the_file() -> Result<(), Error> {
    let got = Got::default();
    let router = Router::new()
        .route("/", post(take))
        .with_state(Arc::clone(&got));
    let receiver = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", receiver.local_addr()?);
    tokio::spawn(axum::serve(receiver, router).into_future());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let audit = path.to_str().ok_or("a path in text")?;
    let args = ["--no-traffic", "--audit", audit, "--webhook", &url];
    let shop = RunningShop::start_with(env!("CARGO_BIN_EXE_shop"), &args).await?;
    let mut events = shop.client.get(shop.admin.url("/v1/events")).send().await?;
    let rule = json!({
        "site": "http.server", "faults": [{ "status": 503 }],
        "guards": [{ "error_ratio": 0.2, "window": "1s", "at_least": 10 }],
    });
    shop.admin.put_rule("all", &rule).await?;
    for _ in 0..20 {
        shop.get("/products").await?;
    }

    let breach = event(&mut events, "breach").await?;
    assert_eq!(breach["actor"], "chaos");
    let what = breach["what"].as_str().ok_or("a text")?;
    assert!(
        what.contains("error ratio at http.server is 1.000"),
        "{what}"
    );
    let told = async {
        while got.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, told).await?;
    let mut told = got.lock().unwrap().clone();
    // A breach waits for no message about rules.
    told.sort_by_key(|told| told["event"].to_string());
    assert_eq!(
        (&told[0]["event"], &told[1]["event"]),
        (&json!("arm"), &json!("breach"))
    );
    assert!(
        told[1]["text"]
            .as_str()
            .is_some_and(|text| text.contains(what)),
        "{told:?}"
    );
    assert_eq!(told[1]["entry"], breach);

    // The file is written by its end.
    shop.program.terminate().await?;
    let mut shop = shop;
    timeout(LONG, shop.program.ended()).await??;
    let lines = fs::read_to_string(&path)?;
    let lines = lines.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let actions: Vec<_> = lines.iter().map(|line| &line["action"]).collect();
    assert_eq!(actions[..2], ["put", "breach"]);
    // A service that stops halts, and so holds what the guard rail has halted, unless it has ended before:
    // it has nothing to wait for.
    if let Some(halt) = lines.get(2) {
        assert_eq!(halt["action"], "halt");
        assert_eq!(halt["what"], "already held by a guard rail");
    }
    Ok(())
}
