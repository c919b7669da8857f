//! The rules of the README and the book, each as the command that `show -o cmd` prints, are the same rules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chaos_core::wire;
use serde_json::{Deserializer, Value, json};

use crate::support::{port::Port, program::chaosctl};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => pages(&path, found),
            false => found.extend((path.extension() == Some("md".as_ref())).then_some(path)),
        }
    }
    found.sort();
}

/// The text of the README and of each page.
fn texts() -> Vec<String> {
    let root = Path::new(ROOT);
    let mut found = vec![root.join("README.md"), root.join("FAULTS.md")];
    pages(&root.join("docs/pages"), &mut found);
    let texts = found.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.collect()
}

/// The rule that a document is, or that a fault by itself makes.
fn rule(document: &Value, id: &str) -> Option<Value> {
    let mut rule = document.clone();
    rule.as_object_mut()?.insert("id".to_owned(), id.into());
    let fault = json!({ "id": id, "site": "http.server", "faults": [document] });
    let read = [rule, fault].map(|rule| wire::rule_from_value(rule, None).ok());
    let read = read.iter().flatten().next()?;
    Some(wire::rule_to_value(read))
}

/// The rules that a text has in JSON: in blocks, in commands, in `rule!` and between backticks.
fn in_json(text: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), 0);
    for (at, _) in text.match_indices('{') {
        if at < after {
            continue;
        }
        let mut documents = Deserializer::from_str(&text[at..]).into_iter::<Value>();
        if let Some(Ok(document)) = documents.next()
            && rule(&document, "x").is_some()
        {
            after = at + documents.byte_offset();
            found.push(document);
        }
    }
    found
}

/// The rules that a text has in the short form: of `CHAOS_RULES`, and of this program.
fn in_short(text: &str) -> Vec<&str> {
    let marks = [
        "CHAOS_RULES='",
        "chaosctl arm '",
        "chaosctl try '",
        "--rule '",
    ];
    let found = marks.iter().flat_map(|mark| text.split(mark).skip(1));
    let found = found.filter_map(|rest| Some(rest.split_once('\'')?.0));
    // `…` stands for anything.
    found
        .filter(|short| !short.contains('…') && short.contains('='))
        .collect()
}

/// The names of a rule's custom faults, which a process must define.
fn custom(rule: &Value) -> Vec<&str> {
    let faults = rule["faults"].as_array().into_iter().flatten();
    let names = faults.filter_map(|fault| fault["custom"]["name"].as_str());
    names.collect()
}

#[test]
fn a_command_makes_each_rule_again() {
    let texts = texts();
    let documents = texts.iter().flat_map(|text| in_json(text));
    let rules = documents.enumerate().map(|(at, document)| {
        let id = format!("book-{at}");
        rule(&document, &id).unwrap()
    });
    let rules: Vec<Value> = rules.collect();
    assert!(rules.len() > 40, "only {} were found", rules.len());
    let (shown, made) = (Port::new(), Port::new());
    for name in rules.iter().flat_map(|rule| custom(rule)) {
        made.injector.define(name, |_| None);
    }
    let mut by_arguments = 0;
    for expected in &rules {
        let id = expected["id"].as_str().unwrap();
        let parsed = wire::rule_from_value(expected.clone(), None).unwrap();
        shown.injector.put(parsed);
        let line = chaosctl(&["-e", &shown.url, "show", id, "-o", "cmd"])
            .expect(0)
            .stdout;
        let program = env!("CARGO_BIN_EXE_chaosctl");
        let run = |end: &str| {
            let line = format!("{}{end}", line.trim_end().replacen("chaosctl", program, 1));
            let mut shell = Command::new("sh");
            let shell = shell
                .args(["-c", &line])
                .env("CHAOSCTL_ENDPOINT", &made.url);
            let ran = shell
                .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
                .output()
                .unwrap();
            assert!(ran.status.success(), "{line}: {ran:?}");
            String::from_utf8(ran.stdout).unwrap()
        };
        if line.starts_with("chaosctl arm ") {
            let printed: Value = serde_json::from_str(&run(" -o json")).unwrap();
            assert_eq!(printed["rules"], json!([expected]), "{line}");
            by_arguments += 1;
        }
        assert!(!made.ids().contains(&id.to_owned()));
        run("");
        assert_eq!(made.rule(id), shown.rule(id), "{line}");
    }
    assert!(by_arguments > 20, "only {by_arguments} of {}", rules.len());
}

#[test]
fn each_short_form_is_read() {
    let texts = texts();
    let shorts = texts.iter().flat_map(|text| in_short(text));
    let mut read = 0;
    for short in shorts {
        let ran = chaosctl(&["arm", short, "-o", "json"]).expect(0);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let rules = document["rules"].as_array().unwrap();
        assert_eq!(rules.len(), wire::rules_from_short(short).unwrap().len());
        read += 1;
    }
    assert!(read > 3, "only {read} were found");
}
