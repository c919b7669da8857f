//! Completions and manual pages are made of the command line, and are what shells and `man` read.

use std::process::Command;

use crate::support::program::chaosctl;

#[test]
fn bash_loads_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chaosctl.bash");
    std::fs::write(&file, chaosctl(&["completion", "bash"]).expect(0).stdout).unwrap();
    let script = "source \"$1\" && complete -p chaosctl && COMP_WORDS=(chaosctl ha) COMP_CWORD=1 \
                  && _chaosctl chaosctl ha chaosctl && echo \"${COMPREPLY[@]}\"";
    let file = file.to_str().unwrap();
    let loaded = Command::new("bash")
        .args(["--norc", "-c", script, "bash", file])
        .output();
    let loaded = loaded.unwrap();
    let text = String::from_utf8_lossy(&loaded.stdout);
    assert!(
        loaded.status.success() && text.ends_with("halt\n"),
        "{loaded:?}"
    );
}

#[test]
fn each_shell_has_completions_of_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = chaosctl(&["completion", shell]).expect(0).stdout;
        for command in ["status", "arm", "try", "extend", "halt"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn the_page_names_each_command() {
    let page = chaosctl(&["man"]).expect(0).stdout;
    assert!(page.contains(".TH chaosctl 1"), "{page}");
    for command in ["status", "arm", "try", "extend", "halt"] {
        assert!(page.contains(command), "{command}");
    }
    let page = chaosctl(&["man", "arm"]).expect(0).stdout;
    assert!(
        page.contains(".TH chaosctl\\-arm 1") || page.contains(".TH chaosctl-arm 1"),
        "{page}"
    );
    chaosctl(&["man", "nothing"]).expect(2);
}

#[test]
fn the_help_knows_commands_and_faults() {
    let help = |topic: &[&str]| chaosctl(&[&["help"], topic].concat());
    assert!(help(&[]).expect(0).stdout.contains("extend"));
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
}
