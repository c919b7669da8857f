//! Completions and manual pages are made of the command line, and are what shells and `man` read.

use std::{
    env, ffi::OsString, fs, future::ready, os::unix::fs::PermissionsExt, path::Path,
    process::Command,
};

use axum::{Json, Router};
use chaos_core::Clock;
use serde_json::json;

use crate::support::{
    port::{Port, dead, serve},
    program::chaosctl,
};

/// A folder with the completions for a shell.
fn completions(shell: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = chaosctl(&["completion", shell]).expect(0).stdout;
    fs::write(folder.path().join("chaosctl"), script).unwrap();
    folder
}

/// The path on which programs are found, with this program first.
fn path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_chaosctl"));
    let others = env::var_os("PATH").unwrap_or_default();
    let folder = program.parent().unwrap().to_owned();
    env::join_paths(std::iter::once(folder).chain(env::split_paths(&others))).unwrap()
}

/// Runs a program that the test needs, and returns what it has printed.
#[track_caller]
fn output(name: &str, command: &mut Command) -> (String, String) {
    let output = command
        .env("PATH", path())
        .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
        .env_remove("CHAOSCTL_ENDPOINT")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{name} must be installed: {error}"));
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// What bash completes a line to.
#[track_caller]
fn bash(line: &str) -> Vec<String> {
    let folder = completions("bash");
    // As the line editor calls it.
    let script = "source \"$1\" && set -- \"$2\" $(complete -p chaosctl) && COMP_LINE=$1 COMP_POINT=${#1} \
                  && read -ra COMP_WORDS <<< \"$1\" && { [[ $1 != *' ' ]] || COMP_WORDS+=(''); } \
                  && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && shift \
                  && while [[ $1 != -F ]]; do shift; done \
                  && \"$2\" chaosctl \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let file = folder.path().join("chaosctl");
    let mut command = Command::new("bash");
    let command = command.args(["--norc", "-c", script, "bash"]);
    let (words, errors) = output("bash", command.arg(file).arg(line));
    assert_eq!(errors, "");
    words.lines().map(str::to_owned).collect()
}

/// What fish completes a line to.
#[track_caller]
fn fish(line: &str) -> Vec<String> {
    let folder = completions("fish");
    let script = "source $argv[1]; complete -C $argv[2]";
    let mut command = Command::new("fish");
    let command = command
        .env("HOME", folder.path())
        .args(["-N", "-c", script]);
    let (lines, errors) = output(
        "fish",
        command.arg(folder.path().join("chaosctl")).arg(line),
    );
    assert_eq!(errors, "");
    let words = lines.lines().map(|line| line.split('\t').next().unwrap());
    words.map(str::to_owned).collect()
}

/// What zsh completes a line to: the line after a press of the tabulator.
#[track_caller]
fn zsh(line: &str) -> String {
    let folder = completions("zsh");
    // An editor of lines needs a terminal, which `zpty` is.
    let script = "zmodload zsh/zpty && zpty shell zsh -f -i && \
        zpty -w shell 'unsetopt zle_bracketed_paste; PS1=; autoload -U compinit; compinit -u -D; source '$1 && \
        zpty -w shell 'LISTMAX=0; show() { print -r -- \"<$BUFFER>\"; zle kill-buffer }; zle -N show; bindkey \"^X\" show; echo ready' && \
        zpty -r shell seen $'*ready*ready*' && \
        zpty -n -w shell \"$2\"$'\\t\\x18' && zpty -r shell seen '*<*>*' && print -r -- \"$seen\"";
    let file = folder.path().join("chaosctl");
    let mut command = Command::new("timeout");
    let command = command
        .args(["30", "zsh", "-f", "-c", script, "zsh"])
        .env("HOME", folder.path())
        .env("TERM", "dumb");
    let (seen, _) = output("zsh", command.arg(file).arg(line));
    let shown = seen
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    shown
        .unwrap_or_else(|| panic!("{seen:?}"))
        .0
        .trim_end()
        .to_owned()
}

fn port() -> Port {
    let port = Port::new();
    for id in ["lost-rows", "down"] {
        port.put("db.read=error(x)", id);
    }
    port
}

#[test]
fn bash_completes_commands_and_ids() {
    let port = port();
    assert_eq!(bash("chaosctl ha"), ["halt"]);
    let with = |rest: &str| bash(&format!("chaosctl -e {} {rest}", port.url));
    assert_eq!(with("rm lo"), ["lost-rows"]);
    assert_eq!(with("-q off down lo"), ["lost-rows"]);
    let all = with("show ");
    assert!(all.contains(&"down".to_owned()) && all.contains(&"lost-rows".to_owned()));
    assert!(
        !all.iter().any(|word| word.starts_with(['<', '['])),
        "{all:?}"
    );
    assert!(with("rm --rea").contains(&"--reason".to_owned()));
}

#[test]
fn fish_completes_commands_and_ids() {
    let port = port();
    assert_eq!(fish("chaosctl ha"), ["halt"]);
    let with = |rest: &str| fish(&format!("chaosctl -e {} {rest}", port.url));
    assert_eq!(with("rm lo"), ["lost-rows"]);
    assert_eq!(with("-q off down lo"), ["lost-rows"]);
    assert!(with("rm --rea").contains(&"--reason".to_owned()));
}

#[test]
fn zsh_completes_commands_and_ids() {
    let port = port();
    assert_eq!(zsh("chaosctl ha"), "chaosctl halt");
    let base = format!("chaosctl -e {}", port.url);
    for (written, completed) in [
        ("rm lo", "rm lost-rows"),
        ("-q off down lo", "-q off down lost-rows"),
        ("rm --rea", "rm --reason="),
    ] {
        let line = zsh(&format!("{base} {written}"));
        assert_eq!(line, format!("{base} {completed}"));
    }
}

/// What is completed changes nothing, whatever the line is, and waits for nobody.
#[test]
fn a_completion_only_asks_for_ids() {
    let port = port();
    let entries = port.injector.audit().last();
    for line in ["halt rm ", "rm --all ", "arm rm ", "resume on "] {
        bash(&format!("chaosctl -e {} {line}", port.url));
        fish(&format!("chaosctl -e {} {line}", port.url));
    }
    assert_eq!(port.injector.audit().last(), entries);
    assert!(!port.is_halted());
    assert_eq!(bash(&format!("chaosctl -e {} rm lo", dead())), [""]);
    let ran = chaosctl(&["-e", &port.url, "__ids"]).expect(0);
    assert_eq!(ran.stdout, "down\nlost-rows\n");
    let hangs = axum::Router::new().fallback(async || std::future::pending::<()>().await);
    let hangs = crate::support::port::serve(hangs);
    let clock = Clock::monotonic();
    let began = clock.now();
    chaosctl(&["-e", &hangs, "--timeout", "10m", "__ids"]).expect(3);
    assert!((clock.now() - began).as_secs() < 60);
}

/// Each page: of the program, and of each of its commands.
#[test]
fn man_reads_the_pages_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        "status",
        "rules",
        "show",
        "sites",
        "explain",
        "audit",
        "events",
        "arm",
        "apply",
        "try",
        "preview",
        "token",
        "on",
        "off",
        "rm",
        "extend",
        "release",
        "undo",
        "halt",
        "resume",
        "ack",
        "context",
        "help",
        "version",
        "completion",
        "man",
    ];
    let fleet = ["fleet", "monkey"].into_iter();
    let fleet = fleet.filter(|_| cfg!(feature = "fleet"));
    let commands: Vec<_> = commands.into_iter().chain(fleet).collect();
    let topics = commands.iter().map(|command| vec!["man", command]);
    for topic in topics.chain([vec!["man"]]) {
        let page = chaosctl(&topic).expect(0).stdout;
        let title = match topic.get(1) {
            Some(command) => format!("chaosctl-{command}"),
            None => "chaosctl".to_owned(),
        };
        let file = folder.path().join("page.1");
        fs::write(&file, &page).unwrap();
        let mut command = Command::new("man");
        let command = command.args(["--warnings", "-P", "cat", "-l"]).arg(&file);
        let command = command
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "80")
            .env("MANROFFOPT", "");
        let (text, warnings) = output("man", command);
        assert_eq!(warnings, "", "{topic:?}");
        assert!(
            text.to_lowercase()
                .contains(&format!("{}(1)", title.to_lowercase())),
            "{title}: {text}"
        );
        if topic.len() == 1 {
            for command in &commands {
                assert!(
                    text.contains(&format!("chaosctl-{command}(1)")),
                    "{command}: {text}"
                );
            }
            assert!(!text.contains("__ids"), "{text}");
        }
    }
    chaosctl(&["man", "nothing"]).expect(2);
}

/// The reference of the book has a row for each command, and for each argument that all commands take.
#[test]
fn the_reference_is_whole() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/pages/reference/chaosctl.md"
    );
    let page = fs::read_to_string(page).unwrap();
    let help = chaosctl(&["help"]).expect(0).stdout;
    let (commands, options) = help.split_once("\nOptions:\n").unwrap();
    let (_, commands) = commands.split_once("\nCommands:\n").unwrap();
    let named = |lines: &str, indent: usize| -> Vec<String> {
        let lines = lines
            .lines()
            .filter(|line| line.len() > indent && !line[..indent].contains(|c| c != ' '));
        let words = lines.filter(|line| !line[indent..].starts_with(' '));
        words
            .map(|line| line.split_whitespace().next().unwrap().to_owned())
            .collect()
    };
    let commands = named(commands, 2);
    assert!(commands.len() > 25, "{commands:?}");
    for command in commands {
        let row = page
            .lines()
            .any(|line| line.starts_with("| `") && line.contains(&format!("`{command}")));
        assert!(row, "no row for {command}");
    }
    let longs = options.split("--").skip(1);
    let longs = longs.map(|rest| rest.split([' ', '\n', ';', ',']).next().unwrap());
    for option in longs.filter(|option| !["help", "version"].contains(option)) {
        assert!(
            page.contains(&format!("--{option}")),
            "no row for --{option}"
        );
    }
}

#[test]
fn the_help_knows_commands_and_faults() {
    let help = |topic: &[&str]| chaosctl(&[&["help"], topic].concat());
    assert!(help(&[]).expect(0).stdout.contains("extend"));
    assert!(!help(&[]).expect(0).stdout.contains("__ids"));
    assert!(help(&["arm"]).expect(0).stdout.contains("--guard"));
    let all = help(&["faults"]).expect(0).stdout;
    for fault in ["latency", "status", "error", "body"] {
        assert!(all.contains(fault), "{all}");
    }
    assert!(!all.contains("\nwhen"), "{all}");
    assert!(
        all.lines().all(|line| line.split_whitespace().count() > 1),
        "{all}"
    );
    let one = help(&["faults", "latency"]).expect(0).stdout;
    assert!(one.contains("in short  latency(200ms..500ms)"), "{one}");
    help(&["faults", "latncy"]).expect(2);
    help(&["nothing"]).expect(2);
    let version = chaosctl(&["version"]).expect(0).stdout;
    assert_eq!(version, chaosctl(&["--version"]).expect(0).stdout);
}

/// What the service says of its rules is neither expanded nor run by the shell.
#[test]
fn ids_of_the_service_are_no_words_of_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run");
    let evil = format!("$(touch${{IFS}}{})", file.display());
    let document =
        json!({ "rules": [{ "id": evil }, { "id": "`id`" }, { "id": "kept" }, { "id": "~" }] });
    let url = serve(Router::new().fallback(move || ready(Json(document.clone()))));
    let ids = chaosctl(&["-e", &url, "__ids"]).expect(0);
    assert_eq!(ids.stdout, "kept\n");
    assert_eq!(bash(&format!("chaosctl -e {url} rm k")), ["kept"]);
    // Nor is what another program of that name prints.
    let program = folder.path().join("chaosctl");
    fs::write(
        &program,
        format!("#!/bin/sh\ncat <<'END'\n{evil}\nkept\nEND\n"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let words = bash(&format!("{} rm ", program.display()));
    assert!(words.contains(&evil), "{words:?}");
    assert!(!file.exists());
}
