//! The README, the book and the other documents: their links, their blocks of code, and their length.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{read, root, rust_files, tidy::crates};

const BOOK: &str = "docs/pages";

/// The Markdown files in a folder and in those below it.
fn markdown(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(markdown(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The pages of the book, each with its path from the book's folder and its text.
fn pages() -> Vec<(String, String)> {
    let book = root().join(BOOK);
    let name = |path: &Path| path.strip_prefix(&book).unwrap().display().to_string();
    let pages = markdown(&book).into_iter();
    let pages: Vec<_> = pages.map(|path| (name(&path), read(&path))).collect();
    assert!(pages.len() > 20, "only {} pages were found", pages.len());
    pages
}

/// The lines of a text that are not in blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The paths of the documents that a page includes, with what is to be included of each.
fn includes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines();
    let includes = lines.filter_map(|line| line.strip_prefix("{{#include ")?.strip_suffix("}}"));
    includes.map(|include| include.split_once(':').unwrap_or((include, "")))
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut documents: Vec<_> = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "DESIGN.md",
        "FAULTS.md",
        "SECURITY.md",
    ]
    .map(|name| root().join(name))
    .into();
    for name in crates() {
        documents.push(root().join(&name).join("README.md"));
        documents.extend(markdown(&root().join(name).join("docs")));
    }
    documents.extend(markdown(&root().join(BOOK)));
    documents.retain(|path| path.exists());
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for document in documents {
        let text = read(&document);
        let links = prose(&text).flat_map(|line| line.split("](").skip(1));
        let links = links.filter_map(|rest| rest.split(')').next());
        // Links to items are rustdoc's to check.
        let links = links.filter(|link| !link.contains("://") && !link.contains("::"));
        for link in links {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let leads = target.exists()
                && (anchor.is_empty() || anchors(&target).contains(&anchor.to_owned()));
            if !leads {
                wrong.push(format!("{} links to {link}", document.display()));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 200, "only {seen} were found");
}

/// The anchors of a document's headings, as GitHub makes them, with those of what it includes; of a file of tests, the
/// functions, since FAULTS.md and the book name the test in the anchor.
fn anchors(document: &Path) -> Vec<String> {
    let text = read(document);
    let extension = document.extension().and_then(|name| name.to_str());
    let functions = |keyword: &str| {
        let lines = text.lines();
        let found = lines.filter_map(|line| line.split_once(keyword)?.1.split_once('('));
        found.map(|(name, _)| name.to_owned()).collect()
    };
    match extension {
        Some("rs") => return functions("fn "),
        Some("mjs") => return functions("function "),
        _ => {}
    }
    let headings = prose(&text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let mut anchors: Vec<_> = headings.map(anchor).collect();
    for (included, _) in includes(&text) {
        anchors.extend(self::anchors(&document.parent().unwrap().join(included)));
    }
    anchors
}

/// HTML shows the pictures of the console, one for each colour scheme.
#[test]
fn pictures_of_documents_are_there_and_small() {
    let readme = ("../../README.md".to_owned(), read("README.md"));
    let mut seen = 0;
    for (name, text) in pages().into_iter().chain([readme]) {
        let sources = text.split("src").skip(1);
        let sources = sources.filter_map(|rest| {
            let rest = rest.strip_prefix("set").unwrap_or(rest);
            rest.strip_prefix("=\"")?.split('"').next()
        });
        for source in sources {
            let page = root().join(BOOK).join(&name);
            let picture = page.parent().unwrap().join(source);
            let size = fs::metadata(&picture).map_or(0, |file| file.len());
            assert!(
                (1..200_000).contains(&size),
                "{name}: {source} has {size} bytes"
            );
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} were found");
}

/// Whether a file has a test of this name: in Rust, a function with an attribute of a test.
fn has_test(file: &Path, name: &str) -> bool {
    let text = read(file);
    if file.extension().is_some_and(|extension| extension == "mjs") {
        return text.contains(&format!("function {name}("));
    }
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.contains(&format!("fn {name}(")) {
            return is_test;
        } else if !line.starts_with("#[") {
            is_test = false;
        }
    }
    false
}

/// Each feature that the book says this library has, in its tables beside the peers, is shown by the test that it links to.
#[test]
fn each_feature_of_the_comparison_has_its_test() {
    let page = Path::new(BOOK).join("explanation/comparison.md");
    let text = read(&page);
    let folder = root().join(page.parent().unwrap());
    let (mut wrong, mut seen, mut is_table) = (Vec::new(), 0, false);
    for line in text.lines() {
        is_table = line.starts_with("| feature | chaos |") || (is_table && line.starts_with('|'));
        let mut cells = line.split(" | ");
        let (Some(feature), Some(ours), true) = (cells.next(), cells.next(), is_table) else {
            continue;
        };
        if line.starts_with("| feature |") || line.starts_with("|---") || ours == "no" {
            continue;
        }
        let link = ours
            .strip_prefix("[yes](")
            .and_then(|link| link.strip_suffix(')'));
        let test = link.and_then(|link| link.split_once('#'));
        let is_there = test.is_some_and(|(file, name)| has_test(&folder.join(file), name));
        if !is_there {
            wrong.push(format!("{feature}: no test {ours}"));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 60, "only {seen} were found");
}

/// mdBook leaves out a page that its summary does not name, and prints an include that leads nowhere as it is.
#[test]
fn the_book_is_whole() {
    let summary = read(Path::new(BOOK).join("SUMMARY.md"));
    for (name, text) in pages() {
        let is_listed = name == "SUMMARY.md" || summary.contains(&format!("]({name})"));
        assert!(is_listed, "SUMMARY.md does not name {name}");
        for (included, part) in includes(&text) {
            let folder = root().join(BOOK).join(&name);
            let included = read(folder.parent().unwrap().join(included));
            let is_there = part.is_empty() || included.contains(&format!("ANCHOR: {part} "));
            assert!(is_there, "{name} includes {part}");
        }
    }
}

/// A block without a language is one of Rust to rustdoc and text to mdBook; and a page that the package `chaos-docs`
/// does not name is not compiled.
#[test]
fn each_block_of_rust_is_compiled() {
    let compiled = read("docs/src/lib.rs");
    let mut rust = 0;
    let readme = ("../../README.md".to_owned(), read("README.md"));
    for (name, text) in pages().into_iter().chain([readme]) {
        let path = format!("\"pages/{name}\"").replace("pages/../../", "../");
        let mut in_code = false;
        for line in text.lines().filter(|line| line.starts_with("```")) {
            in_code = !in_code;
            assert!(
                !in_code || line.len() > 3,
                "{name}: a block without a language"
            );
            if line.starts_with("```rust") {
                assert!(!line.contains("ignore"), "{name}: {line}");
                assert!(
                    compiled.contains(&path),
                    "docs/src/lib.rs does not name {path}"
                );
                rust += 1;
            }
        }
        assert!(!in_code, "{name}: a block without an end");
    }
    assert!(rust > 20, "only {rust} blocks were found");
}

/// The public types of a file that are errors.
fn errors(text: &str) -> impl Iterator<Item = &str> {
    let mut is_derived = false;
    text.lines().filter_map(move |line| {
        // The derive is one of the attributes before its type.
        if line.starts_with("#[derive(") {
            is_derived = line.contains("thiserror::Error");
        }
        if ["pub(", "struct ", "enum "]
            .iter()
            .any(|it| line.starts_with(it))
        {
            is_derived = false;
        }
        let rest = line.strip_prefix("pub struct ");
        let rest = rest.or_else(|| line.strip_prefix("pub enum "))?;
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        let is_error = is_derived || text.contains(&format!("Error for {name} {{"));
        is_derived = false;
        is_error.then_some(name)
    })
}

#[test]
fn each_error_is_in_the_page_of_errors() {
    let page = read(Path::new(BOOK).join("reference/errors.md"));
    let (mut missing, mut seen) = (Vec::new(), 0);
    let crates = crates().into_iter();
    for file in crates.flat_map(|name| rust_files(&root().join(name).join("src"))) {
        for name in errors(&read(&file)) {
            if !page.contains(&format!("{name}`")) {
                missing.push(format!("{name} of {}", file.display()));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 15, "only {seen} were found");
}

#[test]
fn the_readme_fits_on_a_few_screens() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "the README has {lines} lines");
}
