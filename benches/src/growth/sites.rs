//! What an edit takes, by the number of sites, each of which has a rule.

use crate::{
    edits::many,
    growth::{Effort, Line, Point, ms},
};

pub(super) fn points(effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    let mut point = |series, count, times: Vec<_>| {
        let line = Line {
            picture: "sites",
            series,
        };
        points.push(line.point(count, times.into_iter().map(ms).collect()));
    };
    // The rule that is toggled is the eighth.
    for count in effort.powers_of_ten(10_000).filter(|&count| count >= 10) {
        let rounds = 1..=effort.rounds;
        let injector = many::one_rule_for_each_site(count);
        let put = |n| many::put_new(&injector, n);
        point("put a new rule", count, rounds.clone().map(put).collect());
        let patch = |n| many::patch(&injector, n % count);
        point("patch a rule", count, rounds.clone().map(patch).collect());
        let toggle = |n| many::toggle(&injector, n);
        point("toggle a rule", count, rounds.clone().map(toggle).collect());
        let new = |_| many::new_sites(count);
        point("make all sites", count, rounds.map(new).collect());
    }
    points
}
