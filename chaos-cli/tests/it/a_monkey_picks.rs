//! `monkey` makes picks, tells them, and takes back what it has put. Real processes, and a real etcd.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use chaos_core::Clock;
use chaos_fleet::picker::picks_from_toml;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    etcd::{Answering, Etcd},
    hook::Hook,
    program::{Ran, chaosctl, command, kill},
    wait::{pause, until},
};

const WINDOW: &str = "window = { days = 'mon-sun' }";
const LONG: Duration = Duration::from_secs(20);

/// A `monkey` that goes on.
struct Monkey {
    child: Child,
    lines: Receiver<String>,
}

impl Monkey {
    fn start(etcd: &Etcd, arguments: &[&str]) -> Self {
        let fleet = etcd.fleet();
        let base = [
            "monkey",
            "--fleet",
            &fleet,
            "--trust-the-store",
            "--by",
            "ann",
        ];
        let mut command = command(&[&base, arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let other = sender.clone();
        thread::spawn(move || {
            stdout
                .map_while(Result::ok)
                .try_for_each(|it| other.send(it))
        });
        thread::spawn(move || {
            stderr
                .map_while(Result::ok)
                .try_for_each(|it| sender.send(it))
        });
        Self { child, lines }
    }

    /// Waits for a line that holds a text.
    #[track_caller]
    fn says(&self, text: &str) -> String {
        let mut seen = vec![];
        loop {
            match self.lines.recv_timeout(LONG) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("{text} is not among {seen:#?}"),
            }
        }
    }

    #[track_caller]
    fn ends_with(mut self, code: i32) -> Vec<String> {
        let status = self.child.wait().unwrap();
        let rest: Vec<_> = self.lines.iter().collect();
        assert_eq!(status.code(), Some(code), "{rest:#?}");
        rest
    }
}

fn monkey(etcd: &Etcd, arguments: &[&str]) -> Ran {
    let fleet = etcd.fleet();
    let base = [
        "monkey",
        "--fleet",
        &fleet,
        "--trust-the-store",
        "--by",
        "ann",
    ];
    chaosctl(&[&base, arguments].concat())
}

/// Writes a file with one pick, which is due at once: its state has waited for half an hour, with a mean of a minute.
fn due(etcd: &Etcd, fields: &str) -> String {
    let text = format!(
        "[[pick]]\nname = 'shop'\ngroup_by = ['zone']\nfault = 'db.read=error(lost)'\n{WINDOW}\n\
         mean_time_between = '1m'\n{fields}"
    );
    let since = Timestamp::now() - SignedDuration::from_mins(30);
    let state = json!({ "seed": 1, "ordinal": 0, "since": since, "next": since });
    etcd.put("picks/shop", &state);
    etcd.file("picks.toml", &text)
}

/// Registers a replica that has opted in, and applies documents of this name.
fn replica(etcd: &Arc<Etcd>, document: &'static str) -> Answering {
    let applied = json!({ "outcome": "applied" });
    Answering::opted_in(etcd, "shop-1", document, applied)
}

/// An etcd that accepts connections, and says nothing, keeps nobody from the end.
#[test]
fn a_signal_ends_it_while_etcd_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let fleet = format!("http://{}/demo", silent.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picks.toml");
    let pick = format!("[[pick]]\ngroup_by = ['zone']\nfault = 'abort(exit)'\n{WINDOW}");
    std::fs::write(&file, pick).unwrap();
    let arguments = ["--timeout", "1m", "--fleet", &fleet, "--trust-the-store"];
    let file = ["run", "-f", file.to_str().unwrap()];
    let mut command = command(&[&["monkey"], &arguments[..], &file[..]].concat());
    let mut child = command.spawn().unwrap();
    // By then, it waits for signals.
    let connection = silent.accept().unwrap();
    kill(&child, "-INT");
    let clock = Clock::monotonic();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(clock.now() < Duration::from_secs(2), "{:?}", clock.now());
    drop(connection);
}

fn state(etcd: &Etcd) -> Value {
    let state = etcd.ctl(&["get", "--print-value-only", "/chaos/demo/picks/shop"]);
    serde_json::from_str(&state).unwrap()
}

#[test]
fn a_pick_is_told_once_by_one_of_three_and_taken_back_with_each() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.shop");
    let receiver = Hook::start(2);
    // One that is not there stops nobody.
    let hooks = format!(
        "webhooks = ['{}', 'http://127.0.0.1:1/secret']",
        receiver.url
    );
    let file = due(&etcd, &hooks);
    let monkeys = [(); 3].map(|()| Monkey::start(&etcd, &["--json", "run", "-f", &file]));
    let told = receiver.bodies.recv_timeout(LONG).unwrap();
    assert_eq!(told["pick"], "shop");
    assert_eq!(told["ordinal"], 0);
    assert_eq!(told["fleet"], "demo");
    assert_eq!(told["by"], "ann");
    assert_eq!(told["applied"], true, "{told}");
    assert_eq!(told["leashed"], true);
    assert_eq!(
        told["choice"],
        json!({ "replica": { "id": "shop-1", "group": { "zone": "a" } } })
    );
    assert!(told["text"].as_str().unwrap().contains("shop-1"), "{told}");
    assert!(etcd.revision("orders/rules/pick.shop").is_some());
    assert_eq!(state(&etcd)["ordinal"], 1);

    let mut printed_by = 0;
    for (monkey, (signal, code)) in
        monkeys
            .into_iter()
            .zip([("-INT", 130), ("-TERM", 143), ("-INT", 130)])
    {
        kill(&monkey.child, signal);
        let printed = monkey.ends_with(code).join("\n");
        // The line of the one that has made it is JSON, and the same as the message.
        let lines = printed
            .lines()
            .filter(|line| line.contains(r#""event":"pick""#));
        for line in lines {
            assert_eq!(serde_json::from_str::<Value>(line).unwrap(), told);
            printed_by += 1;
        }
        assert!(!printed.contains("secret"), "{printed}");
    }
    assert_eq!(printed_by, 1);
    assert!(etcd.revision("orders/rules/pick.shop").is_none());
    assert!(etcd.revision("controller").is_none());
    // Neither of the others has told anything.
    let more = receiver.bodies.recv_timeout(Duration::from_secs(1));
    assert!(matches!(more, Err(RecvTimeoutError::Timeout)), "{more:?}");
}

#[test]
fn what_a_killed_one_has_put_ends_with_its_lease() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.shop");
    let file = due(&etcd, "");
    let mut monkey = Monkey::start(&etcd, &["--hold", "5s", "run", "-f", &file]);
    let line = monkey.says("shop-1 of a: applied");
    assert!(line.contains("  shop  "), "{line}");
    kill(&monkey.child, "-KILL");
    monkey.child.wait().unwrap();
    let took = until("it is gone", || {
        etcd.revision("orders/rules/pick.shop").is_none()
    });
    assert!(took < Duration::from_millis(6500), "{took:?}");
    // The pick is remembered.
    assert_eq!(state(&etcd)["last"]["choice"]["replica"]["id"], "shop-1");
    let again = Monkey::start(&etcd, &["run", "-f", &file]);
    again.says("1 pick; Ctrl-C ends it");
    pause(Duration::from_secs(1));
    assert_eq!(state(&etcd)["ordinal"], 1);
    kill(&again.child, "-INT");
    again.ends_with(130);
}

#[test]
fn a_probe_that_does_not_hold_withholds_a_pick() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.shop");
    let receiver = Hook::start(usize::MAX);
    let file = due(&etcd, &format!("probe = '{}'", receiver.url));
    let running = Monkey::start(&etcd, &["run", "-f", &file]);
    running.says("withheld: the probe at 127.0.0.1 does not hold");
    kill(&running.child, "-TERM");
    running.ends_with(143);
    let reason = state(&etcd)["last"]["choice"]["withheld"]["reason"].clone();
    let why = "the status is 500, not 200";
    assert!(reason.as_str().unwrap().ends_with(why), "{reason}");
    assert!(etcd.revision("orders/rules/pick.shop").is_none());
    let now = ["now", "--group", "zone=a", "--fault", "db.read=error(lost)"];
    let ran = monkey(&etcd, &[&now[..], &["--probe", &receiver.url]].concat()).expect(5);
    assert!(ran.stderr.contains(why), "{ran:?}");
    // Whoever reads what is told does not read what the URL holds.
    let probe = "http://ann:pw@127.0.0.1:1/secret";
    let ran = monkey(&etcd, &[&now[..], &["--probe", probe]].concat()).expect(5);
    assert!(ran.stderr.contains("could not be asked"), "{ran:?}");
    assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("pw"));
}

#[test]
fn the_file_of_the_guide_is_read() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pages/guides/fleet.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, file) = guide.split_once("```toml\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let picks = picks_from_toml(file).unwrap();
    assert_eq!(picks[0].name(), "shop");
    assert!(picks[0].is_leashed() && picks[0].faults().contains("exit"));
}

#[test]
fn an_etcd_that_is_gone_for_a_while_is_waited_for() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.shop");
    let file = due(&etcd, "seed = 1");
    let pick = picks_from_toml(&std::fs::read_to_string(&file).unwrap())
        .unwrap()
        .remove(0);
    // Planned for when etcd is gone.
    let now = Timestamp::now();
    let gap = pick.start(0, now).planned().at.duration_since(now);
    let state = pick.start(0, now + SignedDuration::from_secs(4) - gap);
    etcd.put("picks/shop", &json!(state));
    let monkey = Monkey::start(&etcd, &["--timeout", "1s", "run", "-f", &file]);
    monkey.says("1 pick; Ctrl-C ends it");
    etcd.0.pause();
    let line = monkey.says("no picks: ");
    assert!(
        line.contains("does not answer") || line.contains("cannot be used"),
        "{line}"
    );
    etcd.0.go_on();
    monkey.says("shop-1 of a: applied");
    kill(&monkey.child, "-TERM");
    monkey.ends_with(143);
    assert!(etcd.revision("orders/rules/pick.shop").is_none());
}

#[test]
fn picks_are_made_now_and_held_until_they_are_over() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.now-1");
    let now = ["now", "--group", "zone=a", "--fault", "db.read=error(lost)"];
    let short = [&["--json"], &now[..], &["--ttl", "2s"]].concat();
    let ran = monkey(&etcd, &short).expect(0);
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert_eq!(lines[0]["choice"]["replica"]["id"], "shop-1");
    assert_eq!(
        (&lines[1]["event"], &lines[1]["ended"]),
        (&json!("end"), &json!("taken back"))
    );
    assert!(etcd.revision("orders/rules/pick.now-1").is_none());

    let going_on = Monkey::start(&etcd, &now);
    going_on.says("shop-1 of a: applied");
    // One at a time.
    let second = monkey(&etcd, &now).expect(5);
    assert!(
        second.stderr.contains("held by ann, since 20"),
        "{second:?}"
    );
    kill(&going_on.child, "-INT");
    assert!(going_on.ends_with(130).contains(&"taken back".to_owned()));

    let halted = Monkey::start(&etcd, &now);
    halted.says("shop-1 of a: applied");
    chaosctl(&[
        "fleet",
        "--fleet",
        &etcd.fleet(),
        "--by",
        "bob",
        "halt",
        "enough",
    ])
    .expect(0);
    halted.says("halted by bob: enough");
    halted.ends_with(5);
    let ran = monkey(&etcd, &now).expect(5);
    assert!(ran.stderr.contains("the fleet is halted by bob"), "{ran:?}");
}

/// The second is answered by nobody, so it is not everywhere.
#[test]
fn several_are_made_one_after_the_other() {
    let etcd = Arc::new(Etcd::start());
    let _one = replica(&etcd, "pick.now-1");
    let now = [
        "now",
        "--group",
        "zone=a",
        "--fault",
        "db.read=error(lost)",
        "--count",
        "2",
        "--interval",
        "1s",
        "--ttl",
        "3s",
        "--seed",
        "1",
    ];
    let ran = monkey(&etcd, &now).expect(6);
    assert!(
        ran.stdout.contains("now-1  shop-1 of a: applied\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout
            .contains("now-2  shop-1 of a: not applied: has not answered\n"),
        "{ran:?}"
    );
    // A draw spares all: that is no failure.
    let spared = ["--probability", "0.000001", "--count", "1"];
    let ran = monkey(&etcd, &[&now[..5], &spared].concat()).expect(0);
    assert!(ran.stdout.ends_with("now-1  spared\n"), "{ran:?}");
}

#[test]
fn what_is_bad_has_its_exit_code() {
    let etcd = Etcd::start();
    let write = |text: &str| etcd.file("bad.toml", text);
    for (text, expected) in [
        (
            "[[pick]]",
            "bad.toml: pick[0].group_by: the field is missing",
        ),
        ("pick = 1", "bad.toml: pick: no list of picks"),
        ("x", "bad.toml: line 1"),
        (
            "[[pick]]\nname = 'shop'\ngroup_by = ['zone']\nfault = 'abort(exit)'\nwindow = { days = 'moonday' }",
            "bad.toml: pick[shop].window.days",
        ),
        (
            "[[pick]]\nname = 'shop'\ngroup_by = ['zone']\nfault = 'abort(exit)'\nwindow = { days = 'mon' }\n\
             webhooks = ['chat']",
            "bad.toml: pick[shop].webhooks: \"chat\" is no URL",
        ),
    ] {
        let ran = monkey(&etcd, &["run", "-f", &write(text)]).expect(2);
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
        assert!(ran.stderr.contains("; allowed: "), "{ran:?}");
    }
    monkey(&etcd, &["run", "-f", "/nowhere/picks.toml"]).expect(2);
    for (arguments, expected) in [
        (
            ["--group", "zone", "--fault", "status(503)"],
            "--group: \"zone\" is no label",
        ),
        (["--group", "zone=a", "--fault", "statsu(503)"], "--fault: "),
        (["--group", "zone=a", "--probability", "2"], "--fault"),
        (["--fault", "status(503)", "--count", "101"], "101"),
    ] {
        let ran = monkey(&etcd, &[&["now"], &arguments[..]].concat()).expect(2);
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    let now = ["now", "--group", "zone=a", "--fault", "status(503)"];
    for (argument, value) in [
        ("--probability", "2"),
        ("--ttl", "25h"),
        ("--probe", "shop"),
        ("--webhook", "chat"),
    ] {
        let ran = monkey(&etcd, &[&now[..], &[argument, value]].concat()).expect(2);
        assert!(
            ran.stderr.contains(&format!("chaosctl: {argument}: ")),
            "{ran:?}"
        );
    }
    let ran = monkey(&etcd, &[&["--hold", "1s"], &now[..]].concat()).expect(2);
    assert!(ran.stderr.contains("--hold: 1s is out of range"), "{ran:?}");
    // Nothing says how documents are signed.
    let fleet = etcd.fleet();
    let ran = chaosctl(&[&["monkey", "--fleet", &fleet], &now[..]].concat()).expect(2);
    assert!(ran.stderr.contains("--key-file"), "{ran:?}");

    // A group without replicas, and one whose replicas have not opted in.
    let ran = monkey(&etcd, &now).expect(1);
    assert!(
        ran.stderr.contains("no replica has these labels"),
        "{ran:?}"
    );
    etcd.register("shop-1", "a");
    let ran = monkey(&etcd, &[&["--json"], &now[..]].concat()).expect(1);
    assert!(
        ran.stderr
            .contains("of 1 replicas, none has opted in to status"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains(r#""choice":{"nobody":{"meant":1}}"#),
        "{ran:?}"
    );
    // To one that runs it is a warning: they may come.
    let picks = due(&etcd, "");
    let running = Monkey::start(&etcd, &["run", "-f", &picks]);
    running.says("warning: shop: no replica of its groups has opted in to error");
    running.says("nobody: of 1, none has opted in");
    kill(&running.child, "-INT");
    running.ends_with(130);
    // What no picker has written.
    etcd.put("picks/shop", &json!({}));
    let ran = monkey(&etcd, &["run", "-f", &picks]).expect(2);
    assert!(ran.stderr.contains("picks/shop: missing field"), "{ran:?}");

    drop(etcd);
    let gone = [
        "monkey",
        "--timeout",
        "1s",
        "--fleet",
        &fleet,
        "--trust-the-store",
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picks.toml");
    let pick = format!("[[pick]]\ngroup_by = ['zone']\nfault = 'abort(exit)'\n{WINDOW}");
    std::fs::write(&file, pick).unwrap();
    chaosctl(&[&gone[..], &["run", "-f", file.to_str().unwrap()]].concat()).expect(3);
    chaosctl(&[&gone[..], &now[..]].concat()).expect(3);
}
