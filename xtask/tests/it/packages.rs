//! What is published: its manifests, its features, and what they cost.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use crate::root;

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that are published, as `cargo metadata` describes them.
fn published() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().clone();
    packages.retain(|package| package["publish"].is_null());
    assert!(packages.len() >= 5, "{packages:?}");
    packages
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn features(package: &Value) -> BTreeSet<String> {
    let features = package["features"].as_object().unwrap().keys();
    features
        .filter(|name| *name != "default")
        .cloned()
        .collect()
}

fn readme(package: &Value) -> String {
    fs::read_to_string(root().join(name(package)).join("README.md")).unwrap()
}

/// The crates that a program with these features of the package compiles, the package included.
fn crates(package: &str, features: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        package,
        "--no-default-features",
        "--features",
        features,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let lines = tree.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

/// What crates.io and docs.rs show of a package.
#[test]
fn each_package_says_what_it_is() {
    for package in published() {
        let name = name(&package);
        for field in ["description", "license", "repository", "rust_version"] {
            assert!(package[field].is_string(), "{name}: no {field}");
        }
        assert_eq!(package["readme"], "README.md", "{name}");
        let documentation = format!("https://docs.rs/{name}");
        assert_eq!(package["documentation"], documentation.as_str(), "{name}");
        let (keywords, categories) = (&package["keywords"], &package["categories"]);
        assert!((1..=5).contains(&strings(keywords).len()), "{name}");
        assert!((1..=5).contains(&strings(categories).len()), "{name}");
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(
                fs::read(root().join(name).join(license)).unwrap(),
                fs::read(root().join(license)).unwrap(),
                "{name}: {license}"
            );
        }
        let front_page = fs::read_to_string(root().join(name).join("src/lib.rs")).unwrap();
        for line in [
            "#![cfg_attr(docsrs, feature(doc_cfg))]\n",
            "#[cfg(doctest)]\n#[doc = include_str!(\"../README.md\")]\n",
        ] {
            assert!(front_page.contains(line), "{name}: no {line}");
        }
    }
}

/// docs.rs shows every feature but the one that takes everything away, and the recipe `docs` does so too.
#[test]
fn docs_rs_shows_every_feature() {
    let recipes = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    for package in published() {
        let name = name(&package);
        let docs = &package["metadata"]["docs"]["rs"];
        let mut shown = features(&package);
        shown.remove("compile-out");
        assert_eq!(strings(&docs["features"]), shown, "{name}");
        let arguments = BTreeSet::from(["--cfg".to_owned(), "docsrs".to_owned()]);
        assert_eq!(strings(&docs["rustdoc-args"]), arguments, "{name}");

        let mut on: BTreeSet<String> = strings(&package["features"]["default"]);
        on.extend(
            shown
                .iter()
                .filter(|feature| recipes.contains(&format!("{name}/{feature}")))
                .cloned(),
        );
        // What a feature of the package turns on is on as well.
        while let Some(more) = on.iter().find_map(|feature| {
            let turns_on = strings(&package["features"][feature]);
            turns_on
                .into_iter()
                .find(|one| shown.contains(one) && !on.contains(one))
        }) {
            on.insert(more);
        }
        assert_eq!(on, shown, "{name}: `every_feature!` in xtask/src/main.rs");
    }
}

/// The table of features in each README has those of the manifest, and the number of crates each adds.
#[test]
fn each_readme_has_the_features_and_their_costs() {
    let mut wrong = Vec::new();
    for package in published() {
        let (name, readme) = (name(&package), readme(&package));
        let rows = readme.lines().filter(|line| line.starts_with("| `"));
        let rows: Vec<Vec<&str>> = rows
            .map(|row| row.split('|').map(str::trim).collect())
            .collect();
        let listed: BTreeSet<String> = rows
            .iter()
            .map(|row| row[1].trim_matches('`').to_owned())
            .collect();
        assert_eq!(listed, features(&package), "{name}");
        if rows.is_empty() {
            continue;
        }
        let default = strings(&package["features"]["default"]);
        let bare = crates(name, "");
        let sentence = format!("{} crates", bare.len() - 1);
        if !readme.contains(&sentence) {
            wrong.push(format!("{name}: without features, {sentence}"));
        }
        for row in &rows {
            let feature = row[1].trim_matches('`');
            let is_default = if default.contains(feature) {
                "yes"
            } else {
                "no"
            };
            let added = crates(name, feature).difference(&bare).count().to_string();
            if row[2] != is_default || row[3] != added {
                wrong.push(format!("{name}/{feature}: {is_default}, {added}"));
            }
            assert!(!row[4].is_empty(), "{name}/{feature}");
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A feature that is off is off: none of our crates gets another's default features.
#[test]
fn no_package_turns_on_another_ones_defaults() {
    for package in published() {
        let dependencies = package["dependencies"].as_array().unwrap();
        for dependency in dependencies {
            let of = dependency["name"].as_str().unwrap();
            let itself = of == name(&package);
            if of.starts_with("chaos-") && !itself {
                let defaults = &dependency["uses_default_features"];
                assert_eq!(defaults, false, "{}: {of}", name(&package));
            }
        }
    }
    let zones = |crates: BTreeSet<String>| crates.iter().any(|one| one.starts_with("jiff "));
    assert!(zones(crates("chaos-core", "window")));
    assert!(!zones(crates("chaos-tower", "")));
    assert!(!zones(crates("chaos-sources", "toml,yaml")));
}

/// CI runs the recipes of the table, and forgets none.
#[test]
fn ci_runs_every_recipe() {
    let run = fs::read_to_string(root().join(".ci/run")).unwrap();
    let line = run
        .lines()
        .find_map(|line| line.strip_prefix("cargo xtask "));
    let run: BTreeSet<&str> = line.unwrap().split(' ').collect();
    let source = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let recipes = lines
        .windows(2)
        .filter(|two| two[0] == "    (")
        .map(|two| two[1].trim().trim_matches(['"', ',']));
    // `test` has a line of its own in there; `fleet-long` and `fleet-soak` take too long for it; `bench-check` is `bench` and
    // more, `minimal` packs as well. `costs`, `growth`, `draw`, `end-to-end`, `sizes` and `screenshots` write to the repository.
    let recipes: BTreeSet<&str> = recipes
        .filter(|recipe| !{
            let others = [
                "test",
                "fleet-long",
                "fleet-soak",
                "bench",
                "package",
                "costs",
                "growth",
                "draw",
                "end-to-end",
                "sizes",
                "screenshots",
            ];
            others.contains(recipe)
        })
        .collect();
    assert_eq!(run, recipes);
}

/// The recipe `kubernetes` names each manifest, because its program takes no folders.
#[test]
fn every_manifest_is_checked() {
    let recipes = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("examples/kubernetes")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".yaml") {
            let path = format!("examples/kubernetes/{name}");
            assert!(recipes.contains(&path), "no recipe checks {path}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} were found");
}
