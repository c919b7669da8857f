//! The gate fails for what got worse, and says the row's name, what it was and what it is.

use crate::{
    case::{Case, Run},
    clock::Times,
    gate::{over_budget, worse},
    results::Record,
    table::Row,
};

fn nothing() -> Run {
    Box::new(|_| {})
}

fn row(case: &Case, instructions: f64, allocations: f64) -> Row<'_> {
    let times = Times {
        case: 1.0,
        over_base: None,
        quartiles: [1.0, 1.0],
    };
    Row {
        case,
        base: None,
        times,
        allocations,
        instructions: Some(instructions),
        limit: Some(8.0),
    }
}

fn recorded(case: &Case, instructions: f64, allocations: f64) -> Vec<Record> {
    let row = row(case, instructions, allocations);
    vec![Record::of(&row).expect("it is counted")]
}

#[test]
fn a_row_that_got_worse_fails_and_says_what_it_was_and_is() {
    let case = Case::new("layer, idle", nothing).at_most(8);
    let known = recorded(&case, 7.0, 0.0);
    let says = |instructions, allocations| worse(&known, &[row(&case, instructions, allocations)]);
    assert_eq!(
        says(12.0, 0.0),
        ["layer, idle: was 7 instructions, is 12; the budget is ≤ 8"]
    );
    assert_eq!(
        says(7.0, 1.0),
        ["layer, idle: was 0 allocations, is 1; the budget is ≤ 8"]
    );
    assert_eq!(says(12.0, 1.0).len(), 2);
}

#[test]
fn a_row_without_a_budget_may_not_get_worse_either() {
    let case = Case::new("layer, hit", nothing);
    let known = recorded(&case, 1000.0, 2.0);
    let said = worse(&known, &[row(&case, 1100.4, 2.0)]);
    assert_eq!(said, ["layer, hit: was 1000 instructions, is 1100.4"]);
}

#[test]
fn a_row_may_get_better_and_vary_by_a_few() {
    let case = Case::new("layer, hit", nothing);
    let known = recorded(&case, 1000.0, 2.0);
    for instructions in [500.0, 1000.0, 1021.0] {
        let said = worse(&known, &[row(&case, instructions, 2.0)]);
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn a_row_that_grows_its_future_fails() {
    let was = Case::new("layer, idle", nothing).future(240);
    let is = Case::new("layer, idle", nothing).future(248);
    let said = worse(&recorded(&was, 7.0, 0.0), &[row(&is, 7.0, 0.0)]);
    assert_eq!(said, ["layer, idle: was 240 more bytes of future, is 248"]);
}

#[test]
fn a_row_that_is_not_recorded_fails_and_so_does_a_record_without_a_row() {
    let (old, new) = (Case::new("old", nothing), Case::new("new", nothing));
    let said = worse(&recorded(&old, 7.0, 0.0), &[row(&new, 7.0, 0.0)]);
    assert_eq!(
        said,
        [
            "new: no result is recorded; `cargo xtask costs` records it",
            "old: is recorded, and is no row",
        ]
    );
}

#[test]
fn a_row_that_misses_its_budget_fails_unless_that_is_known() {
    let case = Case::new("layer, idle", nothing).at_most(8);
    let said = over_budget(&[row(&case, 9.0, 0.0)]);
    assert_eq!(
        said,
        [
            "layer, idle: misses its budget: is 9 instructions, 0 allocations, 0 more bytes of future; may be ≤ 8"
        ]
    );
    assert!(over_budget(&[row(&case, 8.4, 0.0)]).is_empty());
    assert_eq!(over_budget(&[row(&case, 8.0, 1.0)]).len(), 1);
    let known = Case::new("layer, idle", nothing).at_most(8).not_met_yet();
    let far = row(&known, 100.0, 3.0);
    assert!(over_budget(&[far]).is_empty());
}
