//! What the guide shows of files and of the environment is taken as it stands there.

use std::{ffi::OsString, fs};

use chaos_core::{Injector, wire};
use chaos_sources::{Environment, FileSource};

fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pages/guides/files.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn its_files_say_the_same() {
    let guide = guide();
    let folder = tempfile::tempdir().unwrap();
    let load = |format: &str| {
        let text = guide.split(&format!("\n```{format}\n")).nth(1).unwrap();
        let path = folder.path().join(format!("rules.{format}"));
        fs::write(&path, text.split("```").next().unwrap()).unwrap();
        FileSource::new(&path).load().unwrap()
    };
    let rules = load("toml");
    assert_eq!(rules, load("yaml"));
    assert_eq!(
        (rules.len(), rules[0].fault_names().as_str()),
        (1, "latency+status")
    );
}

#[test]
fn its_variables_can_be_armed() {
    let guide = guide();
    let texts = guide.split("CHAOS_RULES='").skip(1);
    let texts: Vec<_> = texts.map(|rest| rest.split('\'').next().unwrap()).collect();
    assert_eq!(texts.len(), 2);
    for text in texts {
        let variable = |name: &str| (name == "CHAOS_RULES").then(|| OsString::from(text));
        let injector = Injector::new();
        let armed = Environment::of(variable).unwrap().arm(&injector).unwrap();
        assert!(armed.file.is_none());
        assert!(!injector.rules().rules().is_empty());
    }
    // What a term is called, and the actions.
    assert_eq!(
        wire::rules_from_short("http.server=print").unwrap()[0]
            .id()
            .as_str(),
        "env.http.server.1"
    );
    let actions = guide
        .split("The actions ")
        .nth(1)
        .unwrap()
        .split("are supported")
        .next()
        .unwrap();
    let actions: Vec<_> = actions.split('`').skip(1).step_by(2).collect();
    assert_eq!(actions.len(), 8);
    for action in actions {
        let action = action.replace("(ms)", "(50)");
        wire::rules_from_short(&format!("s={action}")).unwrap_or_else(|error| panic!("{error}"));
    }
}
