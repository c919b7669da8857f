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
    for table in [
        &page.probes,
        &page.outcome,
        &page.comparisons,
        &page.phases,
        &page.rules,
        &page.targets,
        &page.audit,
    ] {
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

/// Returns a text in one line, in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
