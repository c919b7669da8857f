//! The book's links. A page may link to any file of the repository, and includes documents that rustdoc shows, too.
//!
//! mdBook runs this as a preprocessor (`docs/book.toml`): it writes the book as JSON to the standard input, and reads
//! it back. A link to a file outside of the book becomes one to the repository, and one to an item of a crate text.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

/// The files of the repository as a reader of the book gets them.
const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main");

/// The root of the repository: mdBook runs this in a folder of its own.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Copies a book from the standard input to the standard output, with its links changed.
pub(crate) fn copy() -> Result<(), serde_json::Error> {
    let input: Value = serde_json::from_reader(io::stdin().lock())?;
    // The context and the book.
    let Value::Array(mut both) = input else {
        return Ok(());
    };
    let mut book = both.pop().unwrap_or_default();
    change(&mut book);
    serde_json::to_writer(io::stdout().lock(), &book)
}

/// Changes each chapter in `value`: an object with a `content`, and the `source_path` of its page.
fn change(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(change),
        Value::Object(fields) => {
            let page = fields.get("source_path").and_then(Value::as_str);
            let page = Path::new("docs/pages").join(page.unwrap_or_default());
            if let Some(Value::String(content)) = fields.get_mut("content") {
                *content = links_changed(content, page.parent().unwrap_or(&page));
            }
            fields.values_mut().for_each(change);
        }
        _ => {}
    }
}

/// Returns the text of a page in `folder` with its links changed, except in blocks of code.
fn links_changed(text: &str, folder: &Path) -> String {
    let mut changed = String::new();
    let mut in_code = false;
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        if in_code || is_fence {
            changed += line;
        } else {
            let line = without_items(line);
            let mut parts = line.split("](");
            changed += parts.next().unwrap_or_default();
            for part in parts {
                let (link, rest) = part.split_once(')').unwrap_or((part, ""));
                changed += &format!("]({}){rest}", target(link, folder));
            }
        }
    }
    changed
}

/// Returns where a link leads from the book.
fn target(link: &str, folder: &Path) -> String {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() || file.contains("://") {
        return link.to_owned();
    }
    // From the page, or from the root in a document that is included from there.
    let places = [normal(&folder.join(file)), normal(Path::new(file))];
    let root = Path::new(ROOT);
    let found = places.iter().find(|place| root.join(place).exists());
    match found {
        Some(place) if !place.starts_with("docs/pages") => {
            let hash = if anchor.is_empty() { "" } else { "#" };
            format!("{REPOSITORY}/{}{hash}{anchor}", place.display())
        }
        _ => link.to_owned(),
    }
}

/// Returns a path without `..`, relative to the root of the repository.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Makes links to items of a crate, such as ``[`put`](crate::Injector::put)`` and ``[`put`]``, text: rustdoc
/// alone knows where these lead.
fn without_items(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("[`") {
        kept += &rest[..start];
        let Some(end) = rest[start..].find("`]") else {
            break;
        };
        let (shown, after) = rest[start + 1..].split_at(end);
        let after = &after[1..];
        let link = after
            .strip_prefix('(')
            .and_then(|link| link.split_once(')'));
        match link {
            Some((link, after)) if link.contains("::") && !link.contains("://") => {
                kept += shown;
                rest = after;
            }
            None => {
                kept += shown;
                rest = after;
            }
            Some(_) => {
                kept += &rest[start..start + end + 2];
                rest = after;
            }
        }
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_items_become_text() {
        let line = "See [`put`](crate::Injector::put), [`halt`] and [`docs`](a.md#b).";
        assert_eq!(
            without_items(line),
            "See `put`, `halt` and [`docs`](a.md#b)."
        );
    }

    #[test]
    fn links_out_of_the_book_lead_to_the_repository() {
        let folder = Path::new("docs/pages/guides");
        let page = "[a](../../../SECURITY.md#threats) [b](chaos-core/src/lib.rs) [c](axum.md) [d](https://a.b)\n\
                    ```json\n[\"x\"](y)\n```\n";
        let expected = format!(
            "[a]({REPOSITORY}/SECURITY.md#threats) [b]({REPOSITORY}/chaos-core/src/lib.rs) [c](axum.md) \
             [d](https://a.b)\n```json\n[\"x\"](y)\n```\n"
        );
        assert_eq!(links_changed(page, folder), expected);
    }
}
