//! A context names a fleet and its access, as `context set` writes them. A real etcd.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::json;

use crate::support::{
    etcd::Etcd,
    program::{Ran, command, run},
};

fn with(config: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.env("CHAOSCTL_CONFIG", config);
    // Paths on the command line are those of this folder.
    command.current_dir(config.parent().unwrap());
    run(command)
}

#[test]
fn a_fleet_is_written_beside_what_is_there_and_asked() {
    let (etcd, fleet, password) = Etcd::guarded();
    let key = etcd.file("fleet.key", "a secret of at least 32 bytes, or more");
    let config = etcd.file(
        "config.toml",
        "# kept\n[contexts.old.fleet]\nurl = 'http://ann:hunter2@h:1/x' # too",
    );
    let config = Path::new(&config);
    let run = |arguments: &[&str]| with(config, arguments);

    let set = ["context", "set", "demo", "--production"];
    let access = ["--user", "root", "--password-file", "password"];
    let named = ["--fleet", &fleet, "--key-file", "fleet.key"];
    run(&[&set[..], &named, &access].concat()).expect(0);
    let endpoint = "http://127.0.0.1:9900";
    let both = ["-e", endpoint, "context", "set", "both", "--fleet", &fleet];
    run(&[&both[..], &access, &["--trust-the-store"]].concat()).expect(0);

    let text = fs::read_to_string(config).unwrap();
    let kept = "# kept\n[contexts.old.fleet]\nurl = 'http://ann:hunter2@h:1/x' # too\n";
    assert!(text.starts_with(kept), "{text}");
    let written: toml::Table = text.parse().unwrap();
    let expected = format!(
        "{kept}
        [contexts.demo]
        production = true
        [contexts.demo.fleet]
        url = '{fleet}'
        user = 'root'
        password_file = '{password}'
        key_file = '{key}'
        [contexts.both]
        endpoints = ['{endpoint}']
        [contexts.both.fleet]
        url = '{fleet}'
        user = 'root'
        password_file = '{password}'
        trust_the_store = true"
    );
    let expected: toml::Table = expected.parse().unwrap();
    assert_eq!(written, expected, "{text}");
    let json = run(&["--json", "context", "ls"]).expect(0).json();
    let fleets = [&json[0]["fleet"], &json[1]["fleet"], &json[2]["fleet"]];
    assert_eq!(json!(fleets), json!([fleet, fleet, "***@h:1/x"]));
    let table = run(&["context", "ls"]).expect(0).stdout;
    assert!(table.contains(&format!("{endpoint}  {fleet}")), "{table}");

    // The user and the password are those of the context.
    let status = run(&["-c", "demo", "fleet", "status"]).expect(0);
    assert_eq!(status.stdout, "demo  held by nobody; 0 replicas\n");
    run(&["context", "use", "both"]).expect(0);
    run(&["fleet", "status"]).expect(0);
    let ran = run(&["-c", "demo", "status"]).expect(2);
    assert!(ran.stderr.contains("no endpoint"), "{ran:?}");
    // So is the key.
    etcd.file("fleet.key", "short");
    let ran = run(&["-c", "demo", "fleet", "status"]).expect(2);
    assert!(ran.stderr.contains("32 bytes"), "{ran:?}");
}

#[test]
fn what_the_commands_of_a_fleet_refuse_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    for (name, mode) in [("short", 0o600), ("open", 0o644)] {
        let file = folder.path().join(name);
        fs::write(&file, "hunter2").unwrap();
        fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    }
    let fleet = ["--fleet", "http://127.0.0.1:2379/demo"];
    let far = ["--fleet", "http://etcd.example:2379/demo"];
    let user = ["--user", "ann", "--password-file", "short"];
    let key = ["--key-file", "short"];
    let open = ["--key-file", "open"];
    for (arguments, told) in [
        (
            vec!["--fleet", "127.0.0.1:2379/demo"],
            "--fleet: `127.0.0.1:2379` is no endpoint",
        ),
        (
            vec!["--fleet", "http://127.0.0.1:2379"],
            "http://HOST:PORT/FLEET",
        ),
        (vec!["--fleet", "http://127.0.0.1:2379/a b"], "--fleet"),
        (
            vec!["--fleet", "http://ann:hunter2@h:1/demo"],
            "holds a name or a password",
        ),
        (vec!["--fleet", ""], "--fleet"),
        ([&fleet[..], &user[..2]].concat(), "--password-file"),
        ([&fleet[..], &user[2..]].concat(), "--user"),
        (
            [&fleet[..], &user[..3], &["missing"]].concat(),
            "cannot be read",
        ),
        ([&far[..], &user].concat(), "--insecure-token"),
        ([&fleet[..], &key].concat(), "32 bytes"),
        ([&fleet[..], &open].concat(), "mode 0600"),
        (
            [&fleet[..], &key, &["--trust-the-store"]].concat(),
            "--trust-the-store",
        ),
        (user.to_vec(), "--fleet"),
        (key.to_vec(), "--fleet"),
        (vec!["--trust-the-store"], "--fleet"),
        (vec![], "at least one endpoint, or --fleet"),
    ] {
        let arguments = [&["context", "set", "demo"][..], &arguments].concat();
        let ran = with(&config, &arguments).expect(2);
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
        let json = with(&config, &[&["--json"], &arguments[..]].concat()).expect(2);
        assert!(json.json()[0]["error"]["detail"].is_string(), "{json:?}");
        assert!(!config.exists(), "{arguments:?}");
    }
}
