//! ARCHITECTURE.md is true: the folders import what it says, and what it names is there. And the source
//! keeps to the sizes, the names and the sentences that CONTRIBUTING.md asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{read, root, rust_files};

const CRATES: [&str; 9] = [
    "chaos-core",
    "chaos-macros",
    "chaos-rule",
    "chaos-tower",
    "chaos-http-admin",
    "chaos-sources",
    "chaos-fleet",
    "chaos-gameday",
    "chaos-cli",
];

/// The source files of the published crates, each with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let folders = CRATES.map(|name| root().join(name).join("src"));
    let files = folders.iter().flat_map(|folder| rust_files(folder));
    let relative = |file: &Path| file.strip_prefix(root()).unwrap().to_owned();
    files.map(|file| (relative(&file), read(&file))).collect()
}

/// The rows of the first table below a heading, each as its cells, without the table's head.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split(&format!("{heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("no heading `{heading}`"));
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| -> Vec<String> {
        let cells = row.trim().trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The modules of its own crate that a source text names: `crate::x`, and those in
/// `use crate::{…}`.
fn imports(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        // `$crate::x` in a macro is what its user names, not what its file needs.
        .map(|line| line.replace("$crate::", "") + "\n")
        .collect();
    let name = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = Vec::new();
    for part in code.split("crate::").skip(1) {
        let Some(group) = part.strip_prefix('{') else {
            found.push(name(part));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    found.push(name(group[start..at].trim()));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.push(name(group[start..at].trim()));
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
    found.retain(|module| module.starts_with(|c: char| c.is_lowercase()));
    found
}

#[test]
fn the_reader_of_imports_reads_imports() {
    let source = "use crate::{\n    a::{B, C},\n    d::E,\n};\nuse crate::f::G;\n\
                  // use crate::no\nfn x() { crate::h::i(); crate::CONSTANT; $crate::J }";
    assert_eq!(imports(source), ["a", "d", "f", "h"]);
}

/// The table of folders sees an import by the name of its module. A name at the crate's root, or one that
/// is reached from above, would hide its module.
#[test]
fn imports_name_their_module() {
    let mut wrong = Vec::new();
    for (file, code) in sources()
        .into_iter()
        .filter(|(file, _)| !file.ends_with("lib.rs"))
    {
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let line = line
                .replace("$crate::", "")
                .replace("crate::COMPILED_OUT", "");
            let after = line.split("crate::").skip(1);
            let hides = |rest: &str| rest.starts_with(|c: char| c.is_uppercase() || c == '*');
            if after.into_iter().any(hides) || line.contains("super::super") {
                wrong.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of ARCHITECTURE.md: a folder (or a file without one), and what it may import.
struct Folder {
    name: String,
    imports: BTreeSet<String>,
}

/// The table of a crate's folders. Each imports from rows below its own alone, so there is no cycle.
fn folders(name: &str) -> Vec<Folder> {
    let text = read("ARCHITECTURE.md");
    let rows = table(&text, &format!("### Folders of {name}"));
    let folder = |row: &Vec<String>| Folder {
        name: quoted(&row[0])[0].to_owned(),
        imports: quoted(&row[2]).into_iter().map(str::to_owned).collect(),
    };
    let folders: Vec<_> = rows.iter().map(folder).collect();
    for (at, folder) in folders.iter().enumerate() {
        for import in &folder.imports {
            let is_below = folders[at + 1..].iter().any(|below| below.name == *import);
            assert!(
                is_below,
                "{name}: `{import}` does not stand below `{}`",
                folder.name
            );
        }
    }
    folders
}

/// The modules at the top of a crate, each with those that its files import.
fn imports_of(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = root().join(name).join("src");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap().with_extension("");
        let first = relative.iter().next().unwrap().to_str().unwrap().to_owned();
        if first != "lib" {
            let mut modules = imports(&read(&file));
            modules.retain(|module| *module != first);
            found.entry(first).or_default().extend(modules);
        }
    }
    found
}

#[test]
fn each_crate_has_one_direction() {
    let mut wrong = Vec::new();
    for name in CRATES {
        let folders = folders(name);
        let mut found = imports_of(name);
        for folder in folders {
            let Some(imports) = found.remove(&folder.name) else {
                wrong.push(format!("{name}: there is no `{}`", folder.name));
                continue;
            };
            for extra in imports.difference(&folder.imports) {
                wrong.push(format!(
                    "{name}: `{}` imports `{extra}`, and may not",
                    folder.name
                ));
            }
            for unused in folder.imports.difference(&imports) {
                wrong.push(format!(
                    "{name}: `{}` does not import `{unused}`",
                    folder.name
                ));
            }
        }
        wrong.extend(
            found
                .keys()
                .map(|module| format!("{name}: `{module}` has no row")),
        );
    }
    assert!(
        wrong.is_empty(),
        "ARCHITECTURE.md, or the code:\n{}",
        wrong.join("\n")
    );
}

/// Whether a text defines a function, a type or a constant of this name.
fn defines(code: &str, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    let kinds = [
        "fn",
        "struct",
        "enum",
        "trait",
        "static",
        "const",
        "macro_rules!",
    ];
    kinds.iter().any(|kind| {
        let definition = format!("{kind} {name}");
        let mut found = code.split(&definition).skip(1);
        found.any(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Each line that links to source files names functions and types behind the links: they are there.
#[test]
fn what_architecture_names_is_there() {
    let text = read("ARCHITECTURE.md");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for line in text.lines() {
        // `[file](path) name, name`: what follows a link, up to the next, is defined in its file.
        for part in line.split("](").skip(1) {
            let (path, after) = part.split_once(')').expect("a link");
            if path.contains("://") || path.starts_with('#') {
                continue;
            }
            let file = root().join(path);
            if !file.exists() {
                wrong.push(format!("no file {path}"));
            } else if path.ends_with(".rs") {
                let code = read(&file);
                let after = after.split('[').next().unwrap_or_default();
                for name in quoted(after).into_iter().filter(|name| !name.contains(' ')) {
                    seen += 1;
                    if !defines(&code, name) {
                        wrong.push(format!("{path} does not define `{name}`"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} names were found");
}

/// The questions that a newcomer asks first have an answer with a file and a function.
#[test]
fn architecture_answers_the_first_questions() {
    let text = read("ARCHITECTURE.md");
    let rows = table(&text, "## Where is …?");
    for question in [
        "where a limit is made exact",
        "how a halt frees a waiting call",
        "where a body is throttled",
        "how a YAML file becomes rules",
        "what happens when a guard rail breaks",
        "a kind of fault",
        "a field of a rule",
        "the matching",
        "the idle path",
        "an admin route",
    ] {
        let row = rows.iter().find(|row| row[0] == question);
        let row = row.unwrap_or_else(|| panic!("no row `{question}`"));
        assert!(
            row[1].contains(".rs)") && !quoted(&row[1]).is_empty(),
            "{question}: {row:?}"
        );
    }
}

#[test]
fn folders_and_files_fit_in_a_head() {
    let mut wrong = Vec::new();
    let mut in_folder: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (file, code) in sources() {
        let lines = code.lines().count();
        if lines > 450 {
            wrong.push(format!("{} has {lines} lines", file.display()));
        }
        // Not counted: a file that is the head of the folder of its name.
        if !root().join(file.with_extension("")).is_dir() {
            *in_folder
                .entry(file.parent().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    for (folder, files) in &in_folder {
        let most = if folder.ends_with("chaos-core/src") {
            8
        } else {
            16
        };
        if *files > most {
            wrong.push(format!("{} holds {files} files", folder.display()));
        }
    }
    let top = fs::read_dir(root().join("chaos-core/src")).unwrap();
    let folders = top.filter(|entry| entry.as_ref().unwrap().path().is_dir());
    let folders = folders.count();
    if folders > 20 {
        wrong.push(format!("chaos-core/src holds {folders} folders"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names of types that are not an item of an `impl` or a function, which are indented; those in
/// `pin_project!` count.
fn type_names(code: &str) -> impl Iterator<Item = &str> {
    let mut projected = false;
    let items = code.lines().filter(move |line| {
        if !line.starts_with(' ') {
            projected = line.starts_with("pin_project!");
        }
        projected || !line.starts_with(' ')
    });
    items.filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub").unwrap_or(line);
        let line = match line.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => line,
        };
        let line = line.trim_start();
        let kinds = ["struct ", "enum ", "trait ", "type "];
        let name = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

#[test]
fn a_type_name_stands_once_in_a_crate() {
    let mut places: BTreeMap<(String, String), BTreeSet<PathBuf>> = BTreeMap::new();
    for (file, code) in sources() {
        let of = file.iter().next().unwrap().to_str().unwrap().to_owned();
        for name in type_names(&code) {
            let key = (of.clone(), name.to_owned());
            places.entry(key).or_default().insert(file.clone());
        }
    }
    let twice: Vec<_> = places.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
    assert!(places.len() > 300, "only {} types were found", places.len());
}

/// A reader of rustdoc, or of a hover in an editor, sees one item alone.
#[test]
fn each_doc_comment_stands_alone() {
    const LEANS: [&str; 7] = [
        "The same",
        "As there",
        "As [",
        "As `",
        "Likewise",
        "Ditto",
        "See above",
    ];
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let mut before = "";
        for (line, number) in code.lines().zip(1..) {
            let line = line.trim_start();
            let marks = ["//! ", "/// "];
            let doc = marks.iter().find_map(|mark| line.strip_prefix(mark));
            let is_first = !before.starts_with("//!") && !before.starts_with("///");
            if let Some(doc) = doc
                && is_first
                && LEANS.iter().any(|lean| doc.starts_with(lean))
            {
                wrong.push(format!("{}:{number}: {line}", file.display()));
            }
            before = line;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
