//! `try` takes its rule back, whatever ends it. Real processes, and the service is asked each time.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::Duration,
};

use chaos_core::{Call, inject};

use crate::support::{
    port::Port,
    program::{chaosctl, command},
};

fn is_hit(port: &Port) -> bool {
    let injector = &port.injector;
    inject!(injector: injector, "db.read").is_err()
}

/// Waits until calls are hit, or no longer.
#[track_caller]
fn wait(port: &Port, hit: bool) {
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
    let base = ["-e", &port.url, "try", "db.read=error(x)", "--id", "trial"];
    let mut command = command(&[&base, arguments].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    wait(port, true);
    child
}

fn kill(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(killed.success());
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

/// Killed, or cut off from the network: the service ends the rule at its deadline.
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
