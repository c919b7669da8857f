//! Each exit code is produced by a command, with and without `--json`; with it, standard output parses.

use serde_json::Value;

use crate::support::{
    port::{ARMER, OBSERVER, Port, dead},
    program::{Ran, chaosctl, command, run},
};

/// Runs a command without and with `--json`, and returns the document. Both have the same code.
#[track_caller]
fn both(code: i32, arguments: &[&str], token: Option<&str>) -> (Ran, Value) {
    let with = |arguments: &[&str]| {
        let mut command = command(arguments);
        if let Some(token) = token {
            command.env("CHAOSCTL_TOKEN", token);
        }
        run(command).expect(code)
    };
    let text = with(arguments);
    let json = with(&[&["--json"], arguments].concat());
    let document = json.json();
    assert!(!document.as_array().unwrap().is_empty());
    (text, document)
}

#[test]
fn done_is_0() {
    let port = Port::new();
    let (text, json) = both(0, &["-e", &port.url, "status"], None);
    assert!(text.stdout.contains("idle  0 rules"), "{text:?}");
    assert_eq!(json[0]["state"], "idle");
    assert_eq!(json[0]["endpoint"], port.url);
}

#[test]
fn refused_is_1() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost-rows");
    let (text, json) = both(1, &["-e", &port.url, "show", "lost-row"], None);
    assert!(
        text.stderr.contains("did you mean `lost-rows`?"),
        "{text:?}"
    );
    assert_eq!(json[0]["error"]["kind"], "refused");
    // The service's own words: the field, and what it accepts.
    let (text, _) = both(1, &["-e", &port.url, "extend", "nothing", "5m"], None);
    assert!(text.stderr.contains("there is no rule"), "{text:?}");
}

#[test]
fn usage_is_2() {
    let port = Port::new();
    for arguments in [
        &["status", "--what"][..],
        &["arm"],
        &["-e", "localhost:9900", "status"],
        &[
            "-e",
            &port.url,
            "arm",
            "db.read=5%latency(200ms)+statsu(503)",
        ],
        &["-e", &port.url, "arm", "db.read=error(x)", "--rate", "1.3"],
        &[
            "-e",
            &port.url,
            "arm",
            "db.read=error(x)",
            "--guard",
            "errors",
        ],
        &["-e", &port.url, "extend", "a", "soon"],
        &["-e", &port.url, "rm", "--all"],
        &["-c", "nowhere", "status"],
        &["-e", &port.url, "preview", "a", "--calls", "7"],
    ] {
        let (text, json) = both(2, arguments, None);
        assert!(
            text.stdout.is_empty() && !text.stderr.is_empty(),
            "{text:?}"
        );
        assert_eq!(json[0]["error"]["kind"], "usage");
    }
    assert_eq!(port.injector.rules().generation(), 0);
}

#[test]
fn no_answer_is_3() {
    let (text, json) = both(3, &["-e", &dead(), "status"], None);
    assert!(text.stderr.contains("no answer: "), "{text:?}");
    assert_eq!(json[0]["error"]["kind"], "no_answer");
}

#[test]
fn may_not_is_4() {
    let port = Port::with_tokens();
    let url = port.url.as_str();
    let (text, _) = both(4, &["-e", url, "status"], None);
    assert!(text.stderr.contains("access token"), "{text:?}");
    let (_, json) = both(4, &["-e", url, "status"], Some("nobodys-token-at-all"));
    assert_eq!(json[0]["error"]["status"], 401);
    both(0, &["-e", url, "status"], Some(OBSERVER));
    let (_, json) = both(4, &["-e", url, "arm", "db.read=error(x)"], Some(OBSERVER));
    assert_eq!(json[0]["error"]["status"], 403);
    both(0, &["-e", url, "arm", "db.read=error(x)"], Some(ARMER));
}

#[test]
fn changed_meanwhile_is_5() {
    let port = Port::new();
    port.put("db.read=error(x)", "stopped");
    // A write that depends on a generation is refused if somebody else has edited since.
    let edited = crate::support::port::serve(crate::all_or_none::edited_before_each_write(&port));
    let (text, json) = both(5, &["-e", &edited, "-y", "rm", "--all"], None);
    assert!(
        text.stderr.contains("have changed since they were read"),
        "{text:?}"
    );
    assert_eq!(json[0]["error"]["status"], 412);
    assert!(port.ids().contains(&"stopped".to_owned()));
    // What it was that changed.
    assert!(
        text.stderr
            .contains("was changed meanwhile:\n  env.x.1\n+   enabled = true\n"),
        "{text:?}"
    );
    port.injector.halt("enough");
    chaosctl(&["-e", &port.url, "rm", "env.x.1"]).expect(0);
    let (text, _) = both(5, &["-e", &edited, "resume", "fixed"], None);
    assert!(text.stderr.contains("was changed meanwhile:\n"), "{text:?}");
    assert!(port.is_halted());
}

#[test]
fn not_everywhere_is_6() {
    let port = Port::new();
    let arguments = ["-e", &port.url, "-e", &dead(), "status"];
    let (text, json) = both(6, &arguments, None);
    assert!(text.stdout.contains("idle"), "{text:?}");
    assert_eq!(json[0]["state"], "idle");
    assert_eq!(json[1]["error"]["kind"], "no_answer");
}

#[test]
fn armed_is_10_and_halted_is_20() {
    let port = Port::new();
    let arguments = ["-e", &port.url, "status", "--exit-code"];
    both(0, &arguments, None);
    port.put("db.read=error(x)", "lost");
    both(10, &arguments, None);
    port.injector.halt("that is enough");
    let (text, _) = both(20, &arguments, None);
    assert!(text.stdout.contains("that is enough"), "{text:?}");
    // Not known is none of them.
    both(
        6,
        &["-e", &port.url, "-e", &dead(), "status", "--exit-code"],
        None,
    );
}

#[test]
fn text_is_no_json() {
    for command in [&["help"][..], &["completion", "bash"], &["man"]] {
        let document = chaosctl(&[&["--json"], command].concat()).expect(2).json();
        assert_eq!(document[0]["error"]["field"], "--json", "{command:?}");
    }
}
