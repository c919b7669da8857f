//! The pictures of how cost grows, drawn of the recorded points in `benches/results/growth.json`. The book shows them.

mod draw;
mod unit;

use std::{fs, path::Path};

use serde::Deserialize;

use self::unit::Unit;

/// The root of the repository: the program may be run in another folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The folder of the pictures.
const FOLDER: &str = "docs/pages/explanation";

/// A recorded point, as `benches::growth` writes it.
#[derive(Deserialize)]
struct Point {
    picture: String,
    series: String,
    x: f64,
    y: f64,
    low: f64,
    high: f64,
}

/// A picture: what is drawn of the points that bear its name.
struct Picture {
    /// The name of its points.
    name: &'static str,
    file: &'static str,
    x: &'static str,
    y: &'static str,
    unit: Unit,
    /// The base of the logarithm of the horizontal axis.
    base: f64,
}

const PICTURES: &[Picture] = &[
    Picture {
        name: "rules by path and method",
        file: "cost-rules-1.svg",
        x: "rules at the site, by what they match",
        y: "added to a call, on this machine",
        unit: Unit::Nanoseconds,
        base: 10.0,
    },
    Picture {
        name: "rules by other conditions",
        file: "cost-rules-2.svg",
        x: "rules at the site, by what they match",
        y: "added to a call, on this machine",
        unit: Unit::Nanoseconds,
        base: 10.0,
    },
    Picture {
        name: "sites",
        file: "cost-sites.svg",
        x: "sites, with a rule each",
        y: "processor time, on this machine",
        unit: Unit::Milliseconds,
        base: 10.0,
    },
    Picture {
        name: "threads",
        file: "cost-threads.svg",
        x: "threads that call one site at once, on two cores",
        y: "a whole call, on this machine",
        unit: Unit::Nanoseconds,
        base: 2.0,
    },
    Picture {
        name: "held calls, memory",
        file: "cost-held.svg",
        x: "calls that wait",
        y: "memory",
        unit: Unit::Megabytes,
        base: 10.0,
    },
    Picture {
        name: "held calls, halt",
        file: "cost-halt.svg",
        x: "calls that a fault holds",
        y: "after the call of halt, on this machine",
        unit: Unit::Milliseconds,
        base: 10.0,
    },
    Picture {
        name: "edits under load",
        file: "cost-edits.svg",
        x: "rules at the site",
        y: "until it has returned, on this machine",
        unit: Unit::Milliseconds,
        base: 10.0,
    },
    Picture {
        name: "memory of rules",
        file: "cost-memory.svg",
        x: "rules",
        y: "memory",
        unit: Unit::Megabytes,
        base: 10.0,
    },
];

/// Draws the pictures.
///
/// # Errors
/// Returns an error if a file cannot be read or written, or lacks the points of a picture.
pub(crate) fn write() -> Result<(), String> {
    for (file, svg) in drawn()? {
        let path = Path::new(ROOT).join(&file);
        fs::write(path, svg).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// Checks that the pictures are those that [`write()`] would draw.
///
/// # Errors
/// Returns an error that names the picture that is not.
pub(crate) fn check() -> Result<(), String> {
    for (file, svg) in drawn()? {
        if read(&file)? != svg {
            return Err(format!(
                "{file}: it is not what is drawn of benches/results/growth.json; run `cargo xtask draw`"
            ));
        }
    }
    Ok(())
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(ROOT).join(name)).map_err(|error| format!("{name}: {error}"))
}

/// Returns the path and the text of each picture.
fn drawn() -> Result<Vec<(String, String)>, String> {
    let text = read("benches/results/growth.json")?;
    let points: Vec<Point> =
        serde_json::from_str(&text).map_err(|error| format!("growth.json: {error}"))?;
    let one = |picture: &Picture| {
        let of_it = points.iter().filter(|point| point.picture == picture.name);
        let of_it: Vec<_> = of_it.collect();
        if of_it.is_empty() {
            return Err(format!("growth.json: no points of `{}`", picture.name));
        }
        let svg = draw::svg(picture, &of_it);
        let svg = svg.map_err(|error| format!("{}: {error}", picture.file))?;
        Ok((format!("{FOLDER}/{}", picture.file), svg))
    };
    PICTURES.iter().map(one).collect()
}
