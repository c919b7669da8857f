//! Takes the tests out of the README and the book, so that `cargo test` runs them as they are printed: a doc test would
//! leave out what is `#[cfg(test)]`, and each `#[test]`. Each test with a `rule!` is also made with a slip in the name of
//! the rule's site: a test of this crate runs these and checks what they tell a reader who makes such a slip.
#![forbid(unsafe_code)]

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut tests = fs::File::create(out.join("tests.rs"))?;
    let mut slips = fs::File::create(out.join("slips.rs"))?;
    let mut pages = vec![PathBuf::from("../README.md")];
    find(Path::new("pages"), &mut pages)?;
    for page in pages {
        println!("cargo::rerun-if-changed={}", page.display());
        let text = fs::read_to_string(&page)?;
        let blocks = text.split("\n```rust").skip(1);
        let blocks = blocks.filter_map(|block| block.split_once('\n')?.1.split("\n```").next());
        for (number, block) in blocks.enumerate() {
            if block.contains("#[test]") || block.contains("#[tokio::test") {
                let name = page.file_stem().unwrap_or_default().to_string_lossy();
                let name = name.to_lowercase().replace('-', "_");
                // Lines that the book hides begin with `# `.
                let lines = block
                    .lines()
                    .map(|line| line.strip_prefix("# ").unwrap_or(line));
                let code = lines.collect::<Vec<_>>().join("\n");
                writeln!(tests, "mod {name}_{number} {{\n{code}\n}}")?;
                if let Some(slip) = with_slip(&code) {
                    writeln!(slips, "mod {name}_{number} {{\n{slip}\n}}")?;
                }
            }
        }
    }
    Ok(())
}

/// Returns tests with one more letter in the name of the site of each rule, which run only when they are asked for,
/// because they fail. Returns `None` if they have no rule.
fn with_slip(code: &str) -> Option<String> {
    let (before, rules) = code.split_once("\"site\": \"")?;
    let mut slip = before.to_owned();
    for rule in rules.split("\"site\": \"") {
        let (site, rest) = rule.split_once('"')?;
        slip.extend(["\"site\": \"", site, "x\"", rest]);
    }
    const IGNORED: &str = "#[ignore = \"the name of its site has a slip, so it fails\"]\n";
    for attribute in ["#[tokio::test", "#[test]"] {
        slip = slip.replace(attribute, &format!("{IGNORED}{attribute}"));
    }
    Some(slip)
}

fn find(folder: &Path, pages: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}
