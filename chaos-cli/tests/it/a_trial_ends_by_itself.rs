//! `try` takes its rule back, whatever ends it. Real processes, and the service is asked each time.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    time::Duration,
};

use chaos_core::{Call, Clock, inject};

use crate::support::{
    port::Port,
    program::{chaosctl, command, kill},
    relay::Relay,
};

fn is_hit(port: &Port) -> bool {
    let injector = &port.injector;
    inject!(injector: injector, "db.read").is_err()
}

/// Waits until calls are hit, or no longer.
#[track_caller]
pub(crate) fn wait(port: &Port, hit: bool) {
    for _ in 0..600 {
        if is_hit(port) == hit {
            return;
        }
        // Nothing tells this process of what another one does.
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("the calls are not as expected: {hit}");
}

fn start(port: &Port, arguments: &[&str]) -> Child {
    start_at(&port.url, port, arguments)
}

fn start_at(url: &str, port: &Port, arguments: &[&str]) -> Child {
    let base = ["-e", url, "try", "db.read=error(x)", "--id", "trial"];
    let mut command = command(&[&base, arguments].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("armed as trial until ")));
    std::thread::spawn(|| lines.for_each(drop));
    assert!(is_hit(port));
    child
}

#[test]
fn it_ends_when_its_time_is_over() {
    let port = Port::new();
    let mut child = start(&port, &["--for", "2s"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!is_hit(&port));
    assert!(port.ids().is_empty());
}

#[test]
fn it_ends_with_each_signal() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let port = Port::new();
        let mut child = start(&port, &["--for", "1h"]);
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert!(port.ids().is_empty(), "{signal}");
        assert!(!is_hit(&port), "{signal}");
    }
}

/// Cut off from the network: the service ends the rule at its deadline, and the program says that it does not know.
#[test]
fn it_ends_when_the_network_is_cut() {
    let port = Port::new();
    let relay = Relay::new(&port.url);
    let arguments = ["--for", "3s", "--timeout", "1s"];
    let mut child = start_at(&relay.url, &port, &arguments);
    relay.cut();
    assert!(is_hit(&port));
    wait(&port, false);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

/// The rule was made, and the program was not told: it is taken back.
#[test]
fn it_ends_when_the_answer_is_lost() {
    let port = Port::new();
    let relay = Relay::that_loses_an_answer(&port.url);
    let entries = port.injector.audit().last();
    let arguments = ["-e", &relay.url, "try", "db.read=error(x)", "--for", "1h"];
    let ran = chaosctl(&arguments).expect(3);
    assert!(ran.stderr.contains("no answer"), "{ran:?}");
    // It was made, and deleted.
    assert_eq!(port.injector.audit().last(), entries + 2);
    assert!(port.ids().is_empty());
}

/// With a lease, it ends long before the trial would; and a network that comes back does not bring it back.
#[test]
fn its_lease_ends_when_the_network_is_cut() {
    let port = Port::new();
    let relay = Relay::new(&port.url);
    let arguments = ["--for", "1h", "--lease", "4s", "--timeout", "1s"];
    let mut child = start_at(&relay.url, &port, &arguments);
    relay.cut();
    assert!(is_hit(&port));
    wait(&port, false);
    assert!(child.try_wait().unwrap().is_none());
    relay.mend();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!is_hit(&port) && port.ids().is_empty());
}

/// A network that is cut for less than the lease costs nothing: the extension that was lost is made up for.
#[test]
fn a_lease_outlives_a_short_cut() {
    let port = Port::new();
    let relay = Relay::new(&port.url);
    let arguments = ["--for", "1h", "--lease", "10s", "--timeout", "1s"];
    let mut child = start_at(&relay.url, &port, &arguments);
    let left = || {
        let counts = port.injector.counts("trial");
        counts.and_then(|counts| counts.expires_in)
    };
    let is_more_than = |seconds| left().is_some_and(|left| left > Duration::from_secs(seconds));
    let wait = |is_reached: &dyn Fn() -> bool| {
        (0..600).any(|_| {
            std::thread::park_timeout(Duration::from_millis(50));
            is_reached()
        })
    };
    relay.cut();
    assert!(wait(&|| !is_more_than(4)));
    relay.mend();
    // Nearly the whole lease again.
    assert!(wait(&|| is_more_than(8)));
    kill(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(port.ids().is_empty());
}

/// A signal does not wait for a service that does not answer.
#[test]
fn it_ends_at_a_signal_although_the_network_is_cut() {
    let port = Port::new();
    let relay = Relay::new(&port.url);
    let mut child = start_at(&relay.url, &port, &["--for", "1h", "--timeout", "10m"]);
    relay.cut();
    kill(&child, "-INT");
    let ended = (0..600).find_map(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        child.try_wait().unwrap()
    });
    assert_eq!(ended.unwrap().code(), Some(3));
}

/// Killed, it says nothing: the service ends the rule at its deadline.
#[test]
fn it_ends_when_the_process_is_killed() {
    let port = Port::new();
    let mut child = start(&port, &["--for", "3s"]);
    kill(&child, "-KILL");
    child.wait().unwrap();
    assert!(is_hit(&port));
    wait(&port, false);
}

#[test]
fn it_ends_with_its_command() {
    let port = Port::new();
    let base = [
        "-e",
        &port.url,
        "try",
        "db.read=error(x)",
        "--for",
        "1h",
        "--",
    ];
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)] {
        chaosctl(&[&base[..], &["sh", "-c", script]].concat()).expect(code);
        assert!(port.ids().is_empty());
    }
    chaosctl(&[&base[..], &["/nowhere/program"]].concat()).expect(2);
    assert!(port.ids().is_empty());
}

#[test]
fn it_ends_when_somebody_else_takes_the_rule_away() {
    let port = Port::new();
    let mut child = start(&port, &["--for", "1h"]);
    chaosctl(&["-e", &port.url, "rm", "trial"]).expect(0);
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

/// The service measures the bound, and disables the rule itself.
#[test]
fn it_ends_with_7_when_the_service_shows_the_bound() {
    let port = Port::new();
    let site = port.injector.site("http.server");
    let base = [
        "-e",
        &port.url,
        "try",
        "http.server=0.1%error(x)",
        "--for",
        "1h",
    ];
    let until = ["--until", "http.server errors>5%"];
    for json in [&[][..], &["--json"]] {
        let mut command = command(&[json, &base, &until].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            // Each call of the service fails.
            if let Some(mut call) = site.measure(&Call::new(), None) {
                call.end(true);
            }
            std::thread::park_timeout(Duration::from_millis(2));
        };
        assert_eq!(code, Some(7));
        let mut text = String::new();
        child.stdout.unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("stopped by the bound"), "{text}");
        assert!(port.ids().is_empty());
    }
}

/// A guard rail that halts the service has stopped the trial, too.
#[test]
fn it_ends_with_7_when_a_guard_rail_halts() {
    let port = Port::new();
    let site = port.injector.site("http.server");
    let asked = ["-e", &port.url, "try", "http.server=0.1%error(x)"];
    let guard = ["--guard", "http.server errors<5%", "--for", "1h"];
    let mut child = command(&[&asked[..], &guard].concat()).spawn().unwrap();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if let Some(mut call) = site.measure(&Call::new(), None) {
            call.end(true);
        }
        std::thread::park_timeout(Duration::from_millis(2));
    };
    assert_eq!(code, Some(7));
    assert!(port.is_halted() && port.ids().is_empty());
}

/// A bound that nothing has measured has stopped nothing: somebody has disabled the rule.
#[test]
fn it_ends_with_5_when_somebody_disables_a_rule_with_a_bound() {
    let port = Port::new();
    let mut child = start(&port, &["--for", "1h", "--until", "http.server errors>5%"]);
    chaosctl(&["-e", &port.url, "off", "trial"]).expect(0);
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

/// One endpoint hangs: the faults at the other end with the command, and its lease goes on.
#[test]
fn an_endpoint_that_hangs_holds_up_no_other() {
    let (one, two) = (Port::new(), Port::new());
    let relay = Relay::new(&two.url);
    let both = ["-e", &one.url, "-e", &relay.url, "--timeout", "20s", "try"];
    let rule = ["db.read=error(x)", "--id", "trial", "--for", "1h"];
    let lease = ["--lease", "4s", "--", "sleep", "9"];
    let mut command = command(&[&both[..], &rule, &lease].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("armed as trial until ")));
    relay.cut();
    let clock = Clock::monotonic();
    let began = clock.now();
    // Longer than the lease, and shorter than the command.
    while clock.now() - began < Duration::from_secs(7) {
        assert!(is_hit(&one), "after {:?}", clock.now() - began);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    wait(&one, false);
    assert!(clock.now() - began < Duration::from_secs(16));
    assert_eq!(child.wait().unwrap().code(), Some(6));
}

#[test]
fn it_replaces_no_rule() {
    let port = Port::new();
    port.put("db.write=error(x)", "mine");
    let arguments = [
        "-e",
        &port.url,
        "try",
        "db.read=error(x)",
        "--id",
        "mine",
        "--for",
        "1s",
    ];
    let ran = chaosctl(&arguments).expect(1);
    assert!(ran.stderr.contains("there is a rule `mine`"), "{ran:?}");
    assert_eq!(port.rule("mine")["site"], "db.write");
}

#[test]
fn it_says_what_it_did() {
    let port = Port::new();
    let json = [
        "--json",
        "-e",
        &port.url,
        "try",
        "db.read=error(x)",
        "--id",
        "t",
        "--for",
        "1s",
    ];
    let document = chaosctl(&json).expect(0).json();
    assert_eq!(document[0]["rules"][0], "t");
    assert_eq!(document[0]["ended"], "taken back");
    for arguments in [
        &["--for", "1s", "--lease", "1s"][..],
        &["--for", "0s"],
        &["--for", "1s", "--until", "errors"],
    ] {
        let base = ["-e", &port.url, "try", "db.read=error(x)"];
        chaosctl(&[&base, arguments].concat()).expect(2);
    }
}

/// What a trial would not do is refused.
#[test]
fn it_takes_no_argument_that_does_nothing() {
    let (port, folder) = (Port::new(), tempfile::tempdir().unwrap());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rule = r#"{"id":"a","site":"db.read","faults":[{"error":"x"}]}"#;
    let good = file("good.json", rule);
    let off = file(
        "off.json",
        &rule.replace("{\"id", "{\"enabled\":false,\"id"),
    );
    let none = file("none.json", r#"{"rules":[]}"#);
    let base = ["-e", &port.url, "try", "--for", "1s"];
    for arguments in [
        &["-f", &good, "--shadow"][..],
        &["-f", &good, "--limit", "1"],
        &["-f", &good, "--path", "/a"],
        &["-f", &good, "-H", "a: b"],
        &["-f", &good, "--ttl", "1s"],
        &["-f", &good, "db.read=error(x)"],
        &["db.read=error(x)", "--ttl", "1s"],
        &["-f", &off],
        &["-f", &none],
    ] {
        chaosctl(&[&base, arguments].concat()).expect(2);
    }
    assert_eq!(port.injector.rules().generation(), 0);
    chaosctl(&[&base[..], &["-f", &good, "--", "true"]].concat()).expect(0);
}

/// No call can be hit, so the command has shown nothing.
#[test]
fn it_ends_with_5_where_injection_is_halted() {
    let port = Port::new();
    chaosctl(&["-e", &port.url, "halt"]).expect(0);
    let base = ["-e", &port.url, "try", "db.read=error(x)", "--for", "1h"];
    // A command that fails may do so before the service has been asked.
    let cases: [(&[&str], &[i32]); 3] = [
        (&[], &[5]),
        (&["--", "true"], &[5]),
        (&["--", "false"], &[1, 5]),
    ];
    for (command, codes) in cases {
        let ran = chaosctl(&[&base, command].concat());
        assert!(codes.contains(&ran.code), "{command:?}: {ran:?}");
        let is_told = ran.stdout.starts_with("halted by somebody else");
        assert_eq!(is_told, ran.code == 5, "{ran:?}");
        assert!(port.ids().is_empty());
    }
}

#[test]
fn what_its_command_prints_is_not_in_the_json() {
    let port = Port::new();
    let base = ["--json", "-e", &port.url, "try", "db.read=error(x)"];
    let ran = chaosctl(&[&base[..], &["--for", "1h", "--", "echo", "hello"]].concat()).expect(0);
    assert_eq!(ran.json()[0]["ended"], "taken back");
    assert!(ran.stderr.contains("hello"), "{ran:?}");
}
