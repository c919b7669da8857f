//! The screen: a line or two for each endpoint, the rules, and the keys.

use chaos_core::OneLine;
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Text},
    widgets::{Cell, Paragraph, Row, Table},
};
use serde_json::Value;

use crate::{
    client::answer::{number, text},
    commands::look::{
        rules,
        watch::model::{Model, Watched},
    },
    output::{latency, time},
    rule::as_short,
};

/// The width from which on all columns are shown.
const WIDE: u16 = 70;

/// How many sites are shown if none is asked for.
const MOST_SITES: usize = 4;

const HELP: &str = "h      halt all endpoints, at once\n\
                    p      pause, and go on\n\
                    up, k  the rules before\n\
                    down, j  the rules after\n\
                    ?      this help\n\
                    q      quit";

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let heads: Vec<_> = model
        .endpoints
        .iter()
        .flat_map(|it| head(model, it, frame.area().width))
        .collect();
    let rows = [
        Constraint::Length(u16::try_from(heads.len()).unwrap_or(u16::MAX)),
        Constraint::Min(1),
        Constraint::Length(1),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(Text::from(heads)), top);
    match model.help {
        true => frame.render_widget(Paragraph::new(HELP), middle),
        false => frame.render_widget(table(model, middle.width), middle),
    }
    let keys = match (model.message.is_empty(), model.paused) {
        (false, _) => format!("{}  (q quit, ? help)", model.message),
        (true, true) => "paused: p goes on  h halt  q quit  ? help".to_owned(),
        (true, false) => "h halt  p pause  q quit  ? help".to_owned(),
    };
    let keys = Line::styled(OneLine(&keys).to_string(), Modifier::DIM);
    frame.render_widget(Paragraph::new(keys), bottom);
}

/// Returns the lines of one endpoint: its state, and why it is halted or not known.
fn head(model: &Model, endpoint: &Watched, width: u16) -> Vec<Line<'static>> {
    let status = &endpoint.status;
    let line = |text: String, style| Line::styled(OneLine(&text).to_string(), style);
    if let Some(failure) = &endpoint.failure {
        let age = match model.age(endpoint) {
            Some(seconds) => format!("NOT KNOWN for {}", time::length(seconds)),
            None => "NOT KNOWN".to_owned(),
        };
        let first = line(format!("{age}  {}", endpoint.name), Modifier::BOLD.into());
        return vec![first, line(format!("  {failure}"), Modifier::DIM.into())];
    }
    let state = text(status, "state");
    let (word, style) = match state {
        "halted" => (
            "HALTED",
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        ),
        "armed" => (
            "ARMED",
            Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        ),
        "" => ("asking", Style::new().add_modifier(Modifier::DIM)),
        _ => ("IDLE", Style::new().add_modifier(Modifier::BOLD)),
    };
    let rate: f64 = endpoint.rates.values().sum();
    let (active, rules) = (number(status, "active"), number(status, "rules"));
    let first = format!(
        "{word}  {rules} rules, {rate:.1}/s hit, {active} held  {}",
        endpoint.name
    );
    let mut lines = vec![line(first, style)];
    if status["halted"].is_object() {
        let (by, why) = (
            text(&status["halted"], "by"),
            text(&status["halted"], "reason"),
        );
        lines.push(line(format!("  by {by}: {why}"), Style::new()));
    }
    let most = if model.sites.is_empty() {
        MOST_SITES
    } else {
        usize::MAX
    };
    for (site, figures) in endpoint.latencies.iter().take(most) {
        let figures = match width >= WIDE {
            true => latency::latency(figures),
            false => latency::latency_in_short(figures),
        };
        lines.push(line(format!("  {site}  {figures}"), Style::new()));
    }
    for breach in status["breaches"].as_array().into_iter().flatten() {
        let sentence = breach.as_str().unwrap_or(text(breach, "text"));
        lines.push(line(format!("  breach: {sentence}"), Style::new()));
    }
    lines
}

fn table(model: &Model, width: u16) -> Table<'static> {
    let is_wide = width >= WIDE;
    let rules = model.endpoints.iter().flat_map(|endpoint| {
        let rules = endpoint.rules.iter();
        rules.map(move |rule| row(endpoint, rule, is_wide))
    });
    let rows = rules.skip(model.first);
    let (head, widths): (&[&'static str], &[Constraint]) = match is_wide {
        true => (
            &["ID", "WHERE", "HIT", "/S", "ENDS", "DOES"],
            &[
                Constraint::Fill(2),
                Constraint::Fill(1),
                Constraint::Length(14),
                Constraint::Length(6),
                Constraint::Length(8),
                Constraint::Fill(2),
            ],
        ),
        false => (
            &["ID", "HIT", "ENDS"],
            &[
                Constraint::Fill(1),
                Constraint::Length(12),
                Constraint::Length(7),
            ],
        ),
    };
    let head = Row::new(head.iter().map(|name| Cell::from(*name)));
    Table::new(rows, widths).header(head.style(Modifier::DIM))
}

fn row(endpoint: &Watched, rule: &Value, is_wide: bool) -> Row<'static> {
    let id = text(rule, "id");
    let ends = match rules::state(rule) {
        state @ ("off" | "ended") => state.to_owned(),
        _ => {
            let left = rule["stats"]["expires_in"].as_f64();
            left.map_or_else(|| "never".to_owned(), time::length)
        }
    };
    let rate = endpoint.rates.get(id).copied().unwrap_or_default();
    let hits = rules::hits(rule);
    let cells = match is_wide {
        true => vec![
            id.to_owned(),
            text(rule, "site").to_owned(),
            hits,
            format!("{rate:.1}"),
            ends,
            as_short::term(rule),
        ],
        false => vec![id.to_owned(), hits, ends],
    };
    let cells = cells.iter().map(|cell| OneLine(cell).to_string());
    let style = match rate > 0.0 {
        true => Style::new().add_modifier(Modifier::BOLD),
        false => Style::new(),
    };
    Row::new(cells.collect::<Vec<_>>()).style(style)
}
