//! The table of what the layer adds to whole requests.

use super::{markdown, records::EndToEnd};

/// Returns a table with a row for each program, and a column for each form of the layer.
pub(super) fn table(all: &[EndToEnd]) -> String {
    let mut heads = vec!["a request without the layer, µs"];
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for figures in all {
        let EndToEnd {
            program,
            load,
            form,
            without,
            added,
            low,
            high,
            rounds,
        } = figures;
        if !heads.contains(&form.as_str()) {
            heads.push(form);
        }
        let label = format!("{program}, {load}, {rounds} rounds");
        if rows.last().is_none_or(|(last, _)| *last != label) {
            rows.push((label, vec![format!("{without:.1}")]));
        }
        if let Some((_, cells)) = rows.last_mut() {
            let share = added / without * 100.0;
            cells.push(format!(
                "{added:+.2} µs, {share:+.1} % ({low:+.2} to {high:+.2})"
            ));
        }
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|(label, cells)| (label.as_str(), cells.clone()))
        .collect();
    markdown(&heads, &rows)
}
