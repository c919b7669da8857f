//! A context names endpoints and their access, and its access goes there alone.

use std::{fs, path::Path};

use serde_json::json;

use crate::support::{
    port::Port,
    program::{Ran, command, run},
};

fn with(config: &Path, endpoint: Option<&str>, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.env("CHAOSCTL_CONFIG", config);
    if let Some(endpoint) = endpoint {
        command.env("CHAOSCTL_ENDPOINT", endpoint);
    }
    run(command)
}

#[test]
fn a_context_is_added_used_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("chaosctl/config.toml");
    let (one, two) = (Port::new(), Port::new());
    let run = |arguments: &[&str]| with(&config, None, arguments);
    run(&["-e", &one.url, "context", "set", "one"]).expect(0);
    let comment = "# kept\n".to_owned() + &fs::read_to_string(&config).unwrap();
    fs::write(&config, comment).unwrap();
    run(&[
        "-e",
        &one.url,
        "-e",
        &two.url,
        "context",
        "set",
        "both",
        "--production",
    ])
    .expect(0);
    run(&["-e", &one.url, "context", "set", "one"]).expect(2);
    run(&["context", "set", "none"]).expect(2);
    run(&["context", "use", "nowhere"]).expect(2);
    run(&["context", "use", "both"]).expect(0);
    assert!(fs::read_to_string(&config).unwrap().starts_with("# kept\n"));
    let json = run(&["--json", "status"]).expect(0).json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let json = run(&["--json", "-c", "one", "status"]).expect(0).json();
    assert_eq!(json[0]["endpoint"], one.url);
    let json = run(&["--json", "context", "ls"]).expect(0).json();
    assert_eq!(
        (&json[0]["context"], &json[0]["in_use"]),
        (&"both".into(), &true.into())
    );
    // The environment comes before the context in use, and after one that is named.
    let json = with(&config, Some(&two.url), &["--json", "status"])
        .expect(0)
        .json();
    assert_eq!(json.as_array().unwrap().len(), 1);
    let json = with(&config, Some(&two.url), &["--json", "-c", "one", "status"])
        .expect(0)
        .json();
    assert_eq!(json[0]["endpoint"], one.url);
}

/// Addresses with an `@` in their path were listed without their scheme and host, and a secret in a query was listed.
#[test]
fn endpoints_are_listed_as_they_are_unless_they_may_hold_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let fine = [
        "http://h:9/shop@1",
        "https://h/shop",
        "unix:/run/app@1.sock",
    ];
    let refused = [
        "http://ann:hunter2@h",
        "http://h/?token=hunter2",
        "http://h/#hunter2",
        "h?hunter2",
    ];
    let text = format!(
        "[contexts.fine]\nendpoints = {fine:?}\n[contexts.refused]\nendpoints = {refused:?}\n"
    );
    fs::write(&config, text).unwrap();
    let json = with(&config, None, &["--json", "context", "ls"]);
    let json = json.expect(0).json();
    assert_eq!(json[0]["endpoints"], json!(fine));
    assert_eq!(json[1]["endpoints"], json!(vec!["***"; 4]));
    let table = with(&config, None, &["context", "ls"]).expect(0).stdout;
    assert!(table.contains(&fine.join(", ")), "{table}");
    assert!(table.contains("***, ***, ***, ***"), "{table}");
}

#[test]
fn a_slip_in_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    for (text, expected) in [
        (
            "[contexts.a]\nendpoint = [\"http://localhost\"]\n",
            "config.toml:",
        ),
        ("[contexts.a]\nendpoints = []\n", "contexts.a"),
        ("[contexts.a\n", "config.toml:1"),
    ] {
        fs::write(&config, text).unwrap();
        let ran = with(&config, None, &["status"]).expect(2);
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}

/// A variable that names none is a slip: a halt that reached nobody would be taken for one.
#[test]
fn a_variable_that_names_no_endpoint_is_refused() {
    let nowhere = Path::new("/nowhere/config.toml");
    for listed in [",", " ", " , "] {
        for command in [&["halt", "enough"][..], &["status"]] {
            let ran = with(nowhere, Some(listed), command).expect(2);
            assert!(ran.stderr.contains("no endpoint is named"), "{ran:?}");
        }
    }
}

/// Taken for no context, it would send a halt to an endpoint that nothing names.
#[test]
fn a_context_in_use_that_cannot_be_read_is_told() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::new());
    let config = folder.path().join("config.toml");
    with(&config, None, &["-e", &port.url, "context", "set", "one"]).expect(0);
    fs::create_dir(folder.path().join("context")).unwrap();
    let ran = with(&config, None, &["halt", "enough"]).expect(2);
    assert!(ran.stderr.contains("cannot be read"), "{ran:?}");
    with(&config, None, &["context", "ls"]).expect(2);
    with(&config, None, &["-c", "one", "halt", "enough"]).expect(0);
    assert!(port.is_halted());
}
