//! The report in Markdown, for a ticket.

use std::fmt::Write;

use super::page::{Page, Table};

pub(super) fn write(page: &Page) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut text, page);
    text
}

fn write_page(f: &mut String, page: &Page) -> std::fmt::Result {
    writeln!(f, "# {}: {}\n", escaped(&page.title), page.verdict)?;
    for reason in &page.reasons {
        writeln!(f, "- {}", escaped(reason))?;
    }
    for paragraph in page.description.lines().filter(|it| !it.trim().is_empty()) {
        writeln!(f, "\n{}", escaped(paragraph))?;
    }
    writeln!(f, "\n| | |\n|---|---|")?;
    for (name, value) in &page.facts {
        writeln!(f, "| {name} | {} |", escaped(value))?;
    }
    writeln!(f, "\n## What was believed\n\n{}", escaped(&page.hypothesis))?;
    for table in [&page.probes, &page.outcome, &page.comparisons] {
        write_table(f, table)?;
    }
    if page.sites_left_out > 0 {
        let left_out = page.sites_left_out;
        writeln!(
            f,
            "\nNo series is kept of {left_out} more pairs of a site and a rule."
        )?;
    }
    for table in [&page.phases, &page.rules, &page.targets, &page.audit] {
        write_table(f, table)?;
    }
    if !page.follow_ups.is_empty() {
        writeln!(f, "\n## Follow-ups\n")?;
    }
    for (what, owner) in &page.follow_ups {
        let owner = match &owner[..] {
            "" => String::new(),
            owner => format!(" ({})", escaped(owner)),
        };
        writeln!(f, "- [ ] {}{owner}", escaped(what))?;
    }
    writeln!(f, "\n## Run it again\n\n    {}", page.command)
}

fn write_table(f: &mut String, table: &Table) -> std::fmt::Result {
    if table.rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n## {}\n", table.title)?;
    writeln!(f, "| {} |", table.head.join(" | "))?;
    writeln!(f, "|{}", "---|".repeat(table.head.len()))?;
    for row in &table.rows {
        let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
        writeln!(f, "| {} |", cells.join(" | "))?;
    }
    if table.left_out > 0 {
        writeln!(f, "\n{} more are in the journal.", table.left_out)?;
    }
    Ok(())
}

/// Returns a text in one line, in which nothing is markup, no address is a link and nobody is mentioned: word joiners
/// part names and addresses.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let start = text.trim_start();
    // A list, a heading of the line before, or a rule, if it begins a line.
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let marker = text.len() - start.len() + digits;
    for (at, c) in text.char_indices() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // Trackers look for names and addresses in what they have rendered, where no escape is left.
            '@' => escaped.push_str("@\u{2060}"),
            ':' if text[at..].starts_with("://") => escaped.push_str(":\u{2060}"),
            '.' if text[..at].to_ascii_lowercase().ends_with("www") => {
                escaped.push_str("\u{2060}.");
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '-' | '+' | '=' if at == marker && digits == 0 => {
                escaped.push('\\');
                escaped.push(c);
            }
            '.' | ')' if at == marker && digits > 0 => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        for (text, expected) in [
            ("@everyone, see a@b", "@\u{2060}everyone, see a@\u{2060}b"),
            ("- a - b", "\\- a - b"),
            ("  + a", "  \\+ a"),
            ("1. a 2. b", "1\\. a 2. b"),
            ("12) a", "12\\) a"),
            ("---", "\\---"),
            ("===", "\\==="),
            ("99.9 % is a-b", "99\\.9 % is a-b"),
            ("see http://a.b/?c", "see http:\u{2060}//a.b/?c"),
            ("see www.a.b", "see www\u{2060}.a.b"),
            ("<b> & *c*", "&lt;b&gt; &amp; \\*c\\*"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
