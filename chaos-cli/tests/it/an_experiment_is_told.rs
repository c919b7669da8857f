//! `run --webhook`: the verdict and what is to be done arrive, and a webhook that fails neither changes how a run ends nor
//! keeps it for long. Real receivers.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

use chaos_core::Clock;
use serde_json::{Value, json};

use crate::support::{experiment::Lab, hook::Hook, program::run};

const LONG: Duration = Duration::from_secs(20);

/// How long a run that is over waits for its webhooks.
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn a_webhook_is_told_the_verdict_and_what_is_to_be_done() {
    let lab = Lab::new();
    // It is told again.
    let hook = Hook::start(1);
    let follow_ups = json!(["look at the retries", { "text": "write a runbook", "owner": "shop" }]);
    let fields = json!({ "follow_ups": follow_ups });
    let ran = run(lab.command(fields, &["--webhook", &hook.url])).expect(0);
    let told = hook.bodies.recv_timeout(LONG).unwrap();
    assert_eq!(told["experiment"], "Half of the orders are lost");
    assert_eq!(told["verdict"], "held");
    assert_eq!(told["hits"], lab.journal()["x-chaos"]["hits"]);
    assert_eq!(told["reasons"], lab.journal()["x-chaos"]["reasons"]);
    assert_eq!(
        told["follow_ups"],
        json!([
            { "text": "look at the retries" },
            { "text": "write a runbook", "owner": "shop" },
        ])
    );
    // What Slack shows is what is printed.
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("to do: write a runbook (shop)"), "{text}");
    assert!(ran.stdout.contains(text), "{ran:?}");
    assert!(hook.bodies.try_recv().is_err(), "it is told once");
}

#[test]
fn webhooks_that_fail_neither_change_nor_keep_a_run() {
    let lab = Lab::new();
    let failing = Hook::start(usize::MAX);
    // The system takes connections, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/secret", silent.local_addr().unwrap());
    let good = Hook::start(0);
    let probe = json!({ "name": "few fail", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.1 } } });
    let fields = json!({ "hypothesis": { "title": "x", "probes": [probe] } });
    let urls = [&failing.url, &silent, &good.url];
    let hooks = urls.into_iter().flat_map(|url| ["--webhook", url]);
    let arguments: Vec<_> = ["--json"].into_iter().chain(hooks).collect();
    let mut child = lab
        .command(fields, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let end = events.into_iter().find(|event| event["event"] == "end");
    assert_eq!(end.unwrap()["exit_code"], 11);
    let clock = Clock::monotonic();
    assert_eq!(child.wait().unwrap().code(), Some(11));
    let took = clock.now();
    assert!(took < PATIENCE + Duration::from_secs(1), "{took:?}");
    assert_eq!(
        good.bodies.recv_timeout(LONG).unwrap()["verdict"],
        "deviated"
    );
    let mut errors = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert!(errors.contains("messages left: 2"), "{errors}");
    assert!(!errors.contains("secret"), "{errors}");
}
