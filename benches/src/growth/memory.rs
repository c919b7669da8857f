//! The memory of rules that were read from JSON and are in force.

use crate::{
    edits::many,
    growth::{Effort, Line, Point},
};

pub(super) fn points(effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    for count in effort.powers_of_ten(100_000) {
        let mut point = |series, bytes: u64| {
            let line = Line {
                picture: "memory of rules",
                series,
            };
            points.push(line.point(count, vec![bytes as f64 / 1e6]));
        };
        point("rules in force", many::bytes_of_rules(count));
        point("their own texts", many::bytes_of_texts(count));
        point("as JSON", many::document(count, 0).len() as u64);
    }
    points
}
