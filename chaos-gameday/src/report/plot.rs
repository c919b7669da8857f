//! A figure as SVG.

use std::fmt::Display;

use plotters::prelude::*;

use super::{
    figure::{Figure, Line, LineKind},
    words::{clock, shade},
};
use crate::journal::PhaseTimes;

// The style sheet gives each of them its colour, light and dark.
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
const PLAIN: RGBColor = RGBColor(0x00, 0x5F, 0x9E);
const HIT: RGBColor = RGBColor(0xB8, 0x4A, 0x00);
const MARK: RGBColor = RGBColor(0xB0, 0x00, 0x20);
const BEFORE: RGBColor = RGBColor(0xE8, 0xEE, 0xF4);
const ESTIMATE: RGBColor = RGBColor(0xEF, 0xEA, 0xF6);
const DURING: RGBColor = RGBColor(0xFB, 0xE3, 0xD6);
const NEXT: RGBColor = RGBColor(0xFB, 0xEF, 0xD6);
const AFTER: RGBColor = RGBColor(0xE4, 0xF1, 0xE6);

const SIZE: (u32, u32) = (720, 260);

/// Draws a figure over the whole run: the phases shaded, each line, and the marks. `id` tells it from the others on its page.
/// Returns an empty text if there is no number to draw.
pub(super) fn draw(figure: &Figure, phases: &[PhaseTimes], end: f64, id: &str) -> String {
    let points = figure.lines.iter().flat_map(|line| &line.points);
    let most = points
        .filter_map(|point| drawn(point.1))
        .fold(None, |most: Option<f64>, value| {
            Some(most.map_or(value, |most| most.max(value)))
        });
    let Some(most) = most else {
        return String::new();
    };
    let least = (figure.lines.iter().flat_map(|line| &line.points))
        .filter_map(|point| drawn(point.1))
        .fold(0.0, f64::min);
    let top = if most > least {
        least + (most - least) * 1.1
    } else {
        least + 1.0
    };
    let mut svg = String::new();
    if paint(&mut svg, figure, phases, end.max(1.0), (least, top)).is_err() {
        return String::new();
    }
    wrapped(&svg, figure, id)
}

/// Returns a number if a plot can show it. A journal may have any; the table has them all.
fn drawn(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() <= 1e15)
}

type Failed = Box<dyn std::error::Error>;

fn paint(
    svg: &mut String,
    figure: &Figure,
    phases: &[PhaseTimes],
    end: f64,
    (least, top): (f64, f64),
) -> Result<(), Failed> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, least..top)?;
    for (n, times) in phases.iter().enumerate() {
        let until = times.end.unwrap_or(end);
        let colour = match shade(times) {
            "before" => BEFORE,
            "after" => AFTER,
            "estimate" => ESTIMATE,
            // Neighbours differ.
            _ if n % 2 == 0 => DURING,
            _ => NEXT,
        };
        let corners = [(times.start, least), (until, top)];
        chart.draw_series([Rectangle::new(corners, colour.filled())])?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(8)
        .y_labels(5)
        .x_label_formatter(&|seconds| clock(*seconds))
        .y_label_formatter(&|value| format!("{}", super::words::rounded(*value)))
        .x_desc("since the start, m:ss")
        .y_desc(figure.unit)
        .label_style(("sans-serif", 15, &INK))
        .axis_desc_style(("sans-serif", 15, &INK))
        .draw()?;
    for line in &figure.lines {
        let style = match line.kind {
            LineKind::Plain => PLAIN.stroke_width(2),
            LineKind::Hit => HIT.stroke_width(4),
        };
        for part in unbroken(line) {
            match part[..] {
                // One point is no line.
                [point] => chart.draw_series([Circle::new(point, 2, style.color.filled())])?,
                _ => chart.draw_series(LineSeries::new(part, style))?,
            };
        }
    }
    let marks = figure.marks.iter();
    let marks = marks.filter(|mark| drawn(Some(mark.1)).is_some());
    chart.draw_series(marks.map(|mark| Circle::new(*mark, 5, MARK.stroke_width(2))))?;
    area.present()?;
    Ok(())
}

/// Returns the parts of a line: it is broken where there is no number, and where nothing was asked for much longer than usual.
fn unbroken(line: &Line) -> Vec<Vec<(f64, f64)>> {
    let mut gaps: Vec<_> = line
        .points
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    let mut parts = vec![Vec::new()];
    let mut last = f64::NEG_INFINITY;
    for &(at, value) in &line.points {
        let value = drawn(value);
        if at - last > usual * 3.0 || value.is_none() {
            parts.push(Vec::new());
        }
        last = at;
        let part = parts.last_mut();
        if let (Some(part), Some(value)) = (part, value) {
            part.push((at, value));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Names the picture for those who do not see it. The namespace is not needed within HTML.
fn wrapped(svg: &str, figure: &Figure, id: &str) -> String {
    let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
    let (width, height) = SIZE;
    let (title, description) = (escaped(&figure.title), escaped(&figure.description));
    format!(
        "<svg role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" viewBox=\"0 0 {width} {height}\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>{inner}"
    )
}

fn escaped(text: &str) -> impl Display {
    askama::filters::escape(text, askama::filters::Html)
        .map_or_else(|_| String::new(), |it| it.to_string())
}
