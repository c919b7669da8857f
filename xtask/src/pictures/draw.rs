//! Draws a picture with plotters: lines on logarithmic axes, each with its name at its end.
//!
//! The background is transparent, and the ink a grey that can be read on white and on black. Lines differ in colour (of
//! Okabe and Ito's palette, which the colour-blind can tell apart) and in the shape of their points.

use std::error::Error;

use plotters::{chart::ChartBuilder, coord::Shift};
use plotters::{
    element::{Circle, PathElement, Polygon, Text},
    prelude::{
        Color, DrawingArea, IntoDrawingArea, IntoFont, IntoLogRange, RGBColor, SVGBackend,
        ShapeStyle, TextStyle,
    },
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Picture, Point};

const SIZE: (u32, u32) = (760, 380);
/// The place of the lines' names.
const NAMES: u32 = 200;
const INK: RGBColor = RGBColor(128, 128, 128);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];
/// The least distance between the names of two lines.
const LINE_HEIGHT: i32 = 17;

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// A line: its name, its style, and its points in pixels.
struct Line<'p> {
    name: &'p str,
    /// The number of its colour, and of the shape of its points.
    shape: usize,
    points: Vec<(i32, i32)>,
    spreads: Vec<[(i32, i32); 2]>,
}

/// Returns the text of the picture of these points.
pub(super) fn svg(picture: &Picture, points: &[&Point]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    let (left, _) = root.split_horizontally(SIZE.0 - NAMES);
    let ends = |figures: &mut dyn Iterator<Item = f64>| {
        figures.fold((f64::MAX, f64::MIN), |(least, most), figure| {
            (least.min(figure), most.max(figure))
        })
    };
    let x = ends(&mut points.iter().map(|point| point.x));
    let (least, most) = ends(&mut points.iter().map(|point| point.y));
    let y = (
        10_f64.powf(least.log10().floor()),
        10_f64.powf(most.log10().ceil()),
    );
    let mut chart = ChartBuilder::on(&left)
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(80)
        .build_cartesian_2d(
            (x.0..x.1).log_scale().base(picture.base),
            (y.0..y.1).log_scale(),
        )?;
    let decades = |(from, to): (f64, f64), base: f64| (to / from).log(base).round() as usize + 1;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.35))
        .light_line_style(INK.mix(0.0))
        .label_style(text(14))
        .axis_desc_style(text(15))
        .x_labels(decades(x, picture.base))
        .y_labels(decades(y, 10.0))
        .x_label_formatter(&|x| thousands(*x))
        .y_label_formatter(&|y| picture.unit.text(*y))
        .x_desc(picture.x)
        .y_desc(picture.y)
        .draw()?;

    let mut lines: Vec<Line<'_>> = Vec::new();
    for point in points {
        let at = |figure: f64| chart.backend_coord(&(point.x, figure.clamp(y.0, y.1)));
        if lines.iter().all(|line| line.name != point.series) {
            let (shape, name) = (lines.len(), point.series.as_str());
            let (points, spreads) = (Vec::new(), Vec::new());
            lines.push(Line {
                name,
                shape,
                points,
                spreads,
            });
        }
        for line in lines.iter_mut().filter(|line| line.name == point.series) {
            line.points.push(at(point.y));
            line.spreads.push([at(point.low), at(point.high)]);
        }
    }
    for line in &lines {
        draw_line(&root, line)?;
    }
    draw_names(&root, lines)?;
    root.present()?;
    drop((chart, left, root));
    // A file ends with the end of a line.
    Ok(svg.trim_end().to_owned() + "\n")
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn thousands(figure: f64) -> String {
    match figure.round() as u64 {
        figure @ 1000.. => format!("{},{:03}", figure / 1000, figure % 1000),
        figure => figure.to_string(),
    }
}

/// A line, its points, and the quartiles of each.
fn draw_line(root: &Area<'_>, line: &Line<'_>) -> Result<(), Box<dyn Error>> {
    let colour = colour(line.shape);
    for spread in &line.spreads {
        root.draw(&PathElement::new(spread.to_vec(), colour.stroke_width(1)))?;
    }
    root.draw(&PathElement::new(
        line.points.clone(),
        colour.stroke_width(2),
    ))?;
    for point in &line.points {
        draw_point(root, *point, line.shape)?;
    }
    Ok(())
}

fn colour(shape: usize) -> RGBColor {
    COLOURS[shape % COLOURS.len()]
}

fn draw_point(root: &Area<'_>, (x, y): (i32, i32), shape: usize) -> Result<(), Box<dyn Error>> {
    let style: ShapeStyle = colour(shape).filled();
    let corners: &[(i32, i32)] = match shape {
        0 => {
            root.draw(&Circle::new((x, y), 4, style))?;
            return Ok(());
        }
        1 => &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
        2 => &[(0, -5), (5, 4), (-5, 4)],
        3 => &[(0, -5), (5, 0), (0, 5), (-5, 0)],
        4 => &[(0, 5), (5, -4), (-5, -4)],
        _ => &[(-5, -2), (5, -2), (5, 2), (-5, 2)],
    };
    let corners: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    root.draw(&Polygon::new(corners, style))?;
    Ok(())
}

/// The name of each line beside its end, as far apart as they need, in the order of the ends.
fn draw_names(root: &Area<'_>, mut lines: Vec<Line<'_>>) -> Result<(), Box<dyn Error>> {
    let end = |line: &Line<'_>| line.points.last().copied().unwrap_or_default();
    lines.sort_by_key(|line| end(line).1);
    let mut places: Vec<i32> = lines.iter().map(|line| end(line).1).collect();
    for at in 1..places.len() {
        places[at] = places[at].max(places[at - 1] + LINE_HEIGHT);
    }
    // Those that are too low move up again.
    let mut lowest = SIZE.1 as i32 - 60;
    for place in places.iter_mut().rev() {
        *place = (*place).min(lowest);
        lowest = *place - LINE_HEIGHT;
    }
    let left = (SIZE.0 - NAMES) as i32 + 8;
    for (line, y) in lines.iter().zip(places) {
        draw_point(root, (left, y), line.shape)?;
        let style = text(15).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(line.name.to_owned(), (left + 12, y), style))?;
    }
    Ok(())
}
