//! The repository's own rules.

use std::{fs, path::PathBuf};

use crate::{root, rust_files};

pub(crate) fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest
        .split("members = [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    let names = members
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// chaos-tower, chaos-http-admin, chaos-sources, chaos-fleet and chaos-gameday do not know each other, and chaos-core knows
/// none.
#[test]
fn crates_depend_downwards() {
    for (name, forbidden) in [
        (
            "chaos-core",
            &[
                "chaos-tower",
                "chaos-http-admin",
                "chaos-sources",
                "chaos-fleet",
                "chaos-gameday",
                "tower",
                "hyper",
                "axum",
            ][..],
        ),
        (
            "chaos-tower",
            &[
                "chaos-http-admin",
                "chaos-sources",
                "chaos-fleet",
                "hyper",
                "axum",
            ][..],
        ),
        (
            "chaos-rule",
            &["chaos-tower", "chaos-http-admin", "chaos-sources"][..],
        ),
        (
            "chaos-http-admin",
            &["chaos-tower", "chaos-sources", "chaos-fleet"][..],
        ),
        (
            "chaos-fleet",
            &["chaos-tower", "chaos-http-admin", "chaos-sources"][..],
        ),
        (
            "chaos-gameday",
            &[
                "chaos-tower",
                "chaos-http-admin",
                "chaos-sources",
                "chaos-fleet",
                "hyper",
                "reqwest",
                "tokio",
            ][..],
        ),
        (
            "chaos-cli",
            &["chaos-tower", "chaos-http-admin", "chaos-sources"][..],
        ),
        (
            "chaos-sources",
            &[
                "chaos-tower",
                "chaos-http-admin",
                "chaos-fleet",
                "tower",
                "hyper",
                "axum",
                "tokio",
            ][..],
        ),
    ] {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
        let section = section.split("\n[").next().unwrap();
        // What a user has to ask for, that user has already.
        let lines = section.lines().filter(|line| !line.contains("optional"));
        for line in lines {
            let dependency = line.split(['.', ' ', '=']).next().unwrap();
            assert!(
                !forbidden.contains(&dependency),
                "{name} depends on {dependency}"
            );
        }
    }
}

/// The files of tests of a crate: its programs, and the modules of the one that has modules. What lies
/// in the folder of a file's name belongs to the file.
fn test_files(name: &str) -> Vec<PathBuf> {
    let tests = root().join(name).join("tests");
    let mut files = Vec::new();
    for folder in [tests.clone(), tests.join("it")] {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A test file that holds no test looks green for nothing.
#[test]
fn every_test_file_holds_tests() {
    for name in crates() {
        for path in test_files(&name) {
            let parts = rust_files(&path.with_extension("")).into_iter();
            let texts = parts.chain([path.clone()]).map(fs::read_to_string);
            let text: String = texts.map(Result::unwrap).collect();
            assert!(
                !text.contains(concat!("#[", "ignore")),
                "{} ignores one",
                path.display()
            );
            if path.ends_with("it/main.rs") || path.ends_with("it/support.rs") {
                continue;
            }
            let holds = ["#[test]", "#[tokio::test"]
                .iter()
                .any(|mark| text.contains(mark));
            assert!(holds, "{} holds no test", path.display());
        }
    }
}

/// Neither does one that is no module of its program.
#[test]
fn every_test_file_is_built() {
    let mut seen = 0;
    for name in crates() {
        let it = root().join(name).join("tests/it");
        for path in rust_files(&it) {
            if path == it.join("main.rs") {
                continue;
            }
            let folder = path.parent().unwrap();
            let parent = match folder == it {
                true => it.join("main.rs"),
                false => folder.with_extension("rs"),
            };
            let module = path.file_stem().unwrap().to_str().unwrap();
            let line = format!("mod {module};");
            let text = fs::read_to_string(&parent).unwrap();
            let mut declared = text
                .lines()
                .map(|line| line.trim_start_matches("pub(crate) "));
            assert!(declared.any(|found| found == line), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} were found");
}

/// Each is linked against everything: one for a crate, and one for each thing that a process has one of.
#[test]
fn there_are_at_most_nineteen_test_programs() {
    let mut programs = Vec::new();
    for name in crates() {
        let tests = root().join(name).join("tests");
        for entry in fs::read_dir(&tests).into_iter().flatten() {
            let path = entry.unwrap().path();
            let is_file = path.extension().is_some_and(|extension| extension == "rs");
            if is_file || path.join("main.rs").exists() {
                programs.push(path);
            }
        }
    }
    assert!((7..=19).contains(&programs.len()), "{programs:#?}");
}

/// A module lies where its name says.
#[test]
fn no_module_says_where_it_lies() {
    for name in crates() {
        for file in rust_files(&root().join(name)) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains(concat!("#[", "path")), "{}", file.display());
        }
    }
}

#[test]
fn every_crate_forbids_unsafe_code_and_takes_the_lint_table() {
    for name in crates() {
        let manifest = fs::read_to_string(root().join(&name).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} has its own lints"
        );
        let source = root().join(&name).join("src");
        let roots = ["lib.rs", "main.rs"].map(|file| source.join(file));
        let bins = fs::read_dir(source.join("bin")).into_iter().flatten();
        let bins = bins.map(|entry| entry.unwrap().path());
        for file in roots.into_iter().chain(bins).filter(|file| file.is_file()) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    for name in crates() {
        for file in rust_files(&root().join(&name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("//! "),
                "{} has no first sentence",
                file.display()
            );
        }
    }
}

/// FAULTS.md says what happens where. A cell is a *yes*, and then the column's file has a test of
/// the row's name; or it links to the file and says the test; or it is a reason from below.
#[test]
fn each_yes_of_the_table_of_faults_has_its_test() {
    let text = fs::read_to_string(root().join("FAULTS.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let has_test = |file: &str, test: &str| {
        let code = fs::read_to_string(root().join(file));
        let code = code.unwrap_or_else(|error| panic!("{file}: {error}"));
        code.contains(&format!("fn {test}("))
    };
    let link = |cell: &str| -> Option<String> {
        let link = cell.split_once('(')?.1.split_once(')')?.0;
        Some(link.to_owned())
    };
    let mut lines = text.lines().skip_while(|line| !line.starts_with("| fault"));
    let header = cells(lines.next().expect("a table"));
    let (mut wrong, mut yes) = (Vec::new(), 0);
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let row = cells(line);
        let test = row[1].trim_matches('`');
        assert_eq!(row.len(), header.len(), "{line}");
        for (cell, column) in row[2..].iter().zip(&header[2..]) {
            let file = link(column);
            let named = file.is_some_and(|file| has_test(&file, test));
            let fits = match (cell.as_str(), link(cell)) {
                ("yes", _) => named,
                (_, Some(link)) => {
                    let (file, test) = link.split_once('#').expect("a file and a test");
                    has_test(file, test)
                }
                (reason, None) => !named && text.contains(&format!("\n- **{reason}**: ")),
            };
            yes += usize::from(fits && cell.contains("yes"));
            if !fits {
                wrong.push(format!("{test}, {column}: {cell}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(yes > 100, "only {yes} cells were found");
}

/// Returns whether `cargo xtask attacks` makes the attack or the check of this name.
fn is_attack(name: &str) -> bool {
    ["rows", "steps"].iter().any(|file| {
        let path = root().join("examples/src/checks/attacks").join(file);
        let code = fs::read_to_string(path.with_extension("rs")).unwrap();
        code.contains(&format!("\"{name}\""))
    })
}

/// SECURITY.md says what holds each threat, and which test shows it.
#[test]
fn each_threat_has_its_test() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("| threat"));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for row in rows {
        let cell = row.trim_matches('|').rsplit('|').next().unwrap_or_default();
        // One after the other: `file::function`.
        let named: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        let has_test = |name: &&str| {
            let (file, function) = name.split_once("::").expect("a file and a function");
            if file == "attacks" {
                return is_attack(function);
            }
            let crates = [
                "chaos-http-admin",
                "chaos-core",
                "chaos-tower",
                "chaos-sources",
            ];
            crates.iter().any(|of| {
                ["tests/it", "src"].iter().any(|folder| {
                    let path = root().join(of).join(folder).join(file);
                    fs::read_to_string(path.with_extension("rs"))
                        .is_ok_and(|code| code.contains(&format!("fn {function}(")))
                })
            })
        };
        if named.is_empty() || !named.iter().all(has_test) {
            wrong.push(row);
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 15, "only {seen} threats were found");
}
