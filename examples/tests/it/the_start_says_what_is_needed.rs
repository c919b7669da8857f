//! The services' help names what they read of the environment, and an error at the start is a sentence.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SERVICES: [&str; 2] = [env!("CARGO_BIN_EXE_shop"), env!("CARGO_BIN_EXE_greeter")];

/// The names of variables in a text, each behind `before`.
fn variables(text: &str, before: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        let is_name = |c: &char| c.is_ascii_uppercase() || *c == '_';
        let name: String = rest.chars().take_while(is_name).collect();
        format!("CHAOS_{name}")
    };
    let start = format!("{before}CHAOS_");
    text.split(&start).skip(1).map(name).collect()
}

/// Adds the variables that the crates and these services read: their names are texts in the code.
fn read_by_the_sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_by_the_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.collect::<Vec<_>>().join("\n");
            // Tests set variables of their own.
            found.extend(variables(code.split("#[cfg(test)]").next().unwrap(), "\""));
        }
    }
}

#[test]
fn the_help_and_the_book_name_each_variable() {
    let mut read = BTreeSet::new();
    for folder in [
        "chaos-core",
        "chaos-tower",
        "chaos-http-admin",
        "chaos-sources",
        "examples",
    ] {
        read_by_the_sources(&Path::new(ROOT).join(folder).join("src"), &mut read);
    }
    assert!(read.len() >= 6, "{read:?}");
    for service in SERVICES {
        let help = Command::new(service).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert_eq!(variables(&help, "\n  "), read, "{service}");
    }
    let page = Path::new(ROOT).join("docs/pages/reference/environment.md");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(variables(&page, "\n| `"), read);
}

#[test]
fn a_service_that_cannot_start_says_why_in_a_sentence() {
    let public = "Error: other machines can reach 0.0.0.0:9900, and no access tokens are set; allowed: a loopback \
                  address such as 127.0.0.1:9900, or access tokens set with `Admin::access_tokens`\n";
    for service in SERVICES {
        let start = |args: &[&str]| {
            let mut command = Command::new(service);
            let output = command
                .env("RUST_LOG", "error")
                .args(args)
                .output()
                .unwrap();
            assert!(!output.status.success());
            String::from_utf8(output.stderr).unwrap()
        };
        let listen = ["--listen", "127.0.0.1:0", "--admin"];
        assert_eq!(start(&[&listen[..], &["0.0.0.0:9900"]].concat()), public);

        // With the cause, such as that of the system, in the same line.
        let error = start(&[&listen[..], &["127.0.0.1:0", "--rules", "/none.yaml"]].concat());
        assert!(error.starts_with("Error: /none.yaml: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
