//! An undo gives each rule of an entry the form that it had before, in its place, or changes nothing.

use std::{sync::Arc, time::Duration};

use chaos_core::{
    Fault, GuardRail, Injector, Policy, Rate, Rule,
    audit::{Action, Actor, Audit, UndoError},
    rule::{Change, ChangeError},
    testing::ManualClock,
};
use proptest::prelude::*;

fn rule(id: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        "db.read".parse().unwrap(),
        Fault::error("lost"),
    )
}

/// An injector with a rule for each letter.
fn with_rules(ids: &str) -> Injector {
    let injector = Injector::with_clock(ManualClock::new());
    for id in ids.chars() {
        injector.put(rule(&id.to_string()));
    }
    injector
}

fn remove(injector: &Injector, id: &str) -> u64 {
    assert!(injector.remove(&id.parse().unwrap()));
    injector.audit().last()
}

fn order(injector: &Injector) -> String {
    let rules = injector.rules();
    let ids = rules.rules().iter().map(|rule| rule.id().as_str());
    ids.collect()
}

#[test]
fn a_deleted_rule_comes_back_to_its_place() {
    for gone in ["a", "b", "d"] {
        let injector = with_rules("abcd");
        let entry = remove(&injector, gone);
        injector.undo(entry).unwrap();
        assert_eq!(order(&injector), "abcd");
    }
    let injector = with_rules("abcd");
    let (third, first) = (remove(&injector, "c"), remove(&injector, "a"));
    injector.undo(third).unwrap();
    injector.put(rule("e"));
    assert_eq!(order(&injector), "bcde");
    injector.undo(first).unwrap();
    assert_eq!(order(&injector), "abcde");
    // Its neighbours may have gone.
    let injector = with_rules("abcd");
    let second = remove(&injector, "b");
    remove(&injector, "c");
    injector.undo(second).unwrap();
    assert_eq!(order(&injector), "abd");
}

#[test]
fn a_changed_rule_gets_its_earlier_form_and_a_new_one_goes() {
    let injector = with_rules("abc");
    injector.put(rule("b").because("another reason"));
    let edit = injector.audit().last();
    injector.put(rule("d"));
    let put = injector.audit().last();
    injector.undo(put).unwrap();
    assert_eq!(order(&injector), "abc");
    injector.undo(edit).unwrap();
    assert_eq!(**injector.rules().find("b").unwrap(), rule("b"));
}

#[test]
fn an_undo_is_an_entry_which_can_be_undone() {
    let injector = with_rules("abc");
    let entry = remove(&injector, "b");
    let bob = Actor::new("bob").because("a slip");
    let undo = injector.as_actor(bob).undo(entry, None).unwrap();
    assert_eq!((undo.action, undo.actor.name()), (Action::Undo, "bob"));
    let said = (undo.what.as_deref(), undo.actor.reason());
    assert_eq!(said, (Some("entry 4: remove by code"), Some("a slip")));
    assert_eq!(undo.generation, injector.rules().generation());
    let [(None, Some(returned))] = &undo.changes()[..] else {
        panic!("{undo:?}")
    };
    assert_eq!(returned.id().as_str(), "b");
    let counts = injector.counts("b").unwrap();
    assert_eq!(counts.armed_by.name(), "bob");

    let again = injector.undo(undo.id).unwrap();
    assert_eq!(order(&injector), "ac");
    injector.undo(again.id).unwrap();
    assert_eq!(order(&injector), "abc");
}

#[test]
fn a_list_that_was_replaced_comes_back_in_its_order() {
    let injector = with_rules("abcd");
    let next = [rule("x"), rule("c"), rule("a").because("changed")];
    injector.replace(next.to_vec()).unwrap();
    let entry = injector.audit().last();
    let undo = injector.undo(entry).unwrap();
    assert_eq!(order(&injector), "abcd");
    assert_eq!(injector.rules().find("a").unwrap().reason(), None);
    injector.undo(undo.id).unwrap();
    assert_eq!(order(&injector), "xca");

    // Something else has changed since: what has come and gone is undone all the same.
    injector.replace(vec![rule("x"), rule("a")]).unwrap();
    let entry = injector.audit().last();
    injector.put(rule("y"));
    injector.undo(entry).unwrap();
    assert_eq!(order(&injector), "xcay");
}

#[test]
fn what_was_edited_since_is_said_and_stays() {
    let injector = with_rules("ab");
    let first = 1;
    let bob = injector.as_actor(Actor::new("bob"));
    bob.apply(Change::Edit(rule("a").enabled(false)), None)
        .unwrap();
    let generation = injector.rules().generation();
    let error = injector.undo(first).unwrap_err();
    let text = "the rule `a` has changed since, by entry 3: edit by bob";
    assert_eq!(error.to_string(), text);
    let UndoError::EditedSince { left, current, .. } = error else {
        panic!("{error}")
    };
    assert!(left.unwrap().is_enabled() && !current.unwrap().is_enabled());
    let entry = remove(&injector, "b");
    injector.put(rule("b"));
    let error = injector.undo(entry).unwrap_err();
    assert!(error.to_string().contains("put by code"), "{error}");
    assert_eq!(injector.rules().generation(), generation + 2);
    // It is undone once.
    let put = injector.audit().last();
    injector.undo(put).unwrap();
    injector.undo(put).unwrap_err();
}

#[test]
fn what_is_no_edit_of_rules_cannot_be_undone() {
    let injector = with_rules("a");
    injector.halt("enough seen");
    injector.resume();
    injector.extend("a", Duration::from_secs(1)).unwrap();
    for entry in 2..=4 {
        let error = injector.undo(entry).unwrap_err();
        assert!(matches!(error, UndoError::NotAnEdit { .. }), "{error}");
    }
    for entry in [0, 5, u64::MAX] {
        let error = injector.undo(entry).unwrap_err();
        assert!(matches!(error, UndoError::Unknown { last: 4, .. }));
    }
}

#[test]
fn what_the_audit_has_dropped_is_gone() {
    let injector = with_rules("a");
    for _ in 0..Audit::MOST {
        injector.halt("again");
    }
    let error = injector.undo(1).unwrap_err();
    assert!(matches!(error, UndoError::Dropped), "{error}");
    assert!(injector.audit().find(1).is_none());
    assert_eq!(injector.audit().find(2).unwrap().id, 2);
}

#[test]
fn what_may_not_be_armed_does_not_come_back() {
    let injector = with_rules("ab");
    let entry = remove(&injector, "a");
    injector.set_policy(Policy::new().faults(["latency"]));
    let error = injector.undo(entry).unwrap_err();
    let UndoError::Refused(ChangeError::Rule(error)) = error else {
        panic!("{error}")
    };
    assert_eq!(
        (error.rule(), error.field()),
        (Some("a"), "faults[0].error")
    );
    assert_eq!(order(&injector), "b");
    injector.set_policy(Policy::new());

    // A guard rail has stopped the rule, and it was deleted then.
    let rail = GuardRail::new().error_ratio(Rate::new(0.1).unwrap());
    let rail = rail.at_least(1).then(chaos_core::guard_rail::Then::Disarm);
    let other = rail.clone();
    injector.put(rule("c").guard(rail.clone()));
    let put = injector.audit().last();
    let site = injector.site("db.read");
    let mut call = site.measure(&chaos_core::Call::new(), None).unwrap();
    call.end(true);
    let breach = injector.audit().last();
    let error = injector.undo(breach).unwrap_err();
    assert!(matches!(error, UndoError::NotAnEdit { .. }), "{error}");
    let error = injector.undo(put).unwrap_err();
    assert!(error.to_string().contains("breach by chaos"), "{error}");
    injector.put(rule("c").enabled(false));
    let off = remove(&injector, "c");
    injector.undo(off).unwrap();

    // It trips after somebody has disabled the rule, by a call that is under way.
    injector.acknowledge();
    injector.put(rule("d").guard(rail));
    let mut call = site.measure(&chaos_core::Call::new(), None).unwrap();
    let off = rule("d").guard(other).enabled(false);
    injector.apply(Change::Edit(off), None).unwrap();
    let edit = injector.audit().last();
    call.end(true);
    let error = injector.undo(edit).unwrap_err();
    let locked = matches!(error, UndoError::Refused(ChangeError::Locked { .. }));
    assert!(locked, "{error}");
    injector.acknowledge();
    injector.undo(edit).unwrap();
}

#[test]
fn what_wrote_nothing_has_nothing_to_undo() {
    let injector = with_rules("a");
    injector.put(rule("a"));
    let put = injector.audit().last();
    let error = injector.undo(put).unwrap_err();
    assert!(matches!(error, UndoError::NothingWritten), "{error}");
    assert_eq!(injector.audit().last(), put);
}

#[test]
fn an_undo_of_an_undo_restores_the_order() {
    let injector = with_rules("abc");
    let order_of = |ids: &str| ids.chars().map(|id| rule(&id.to_string())).collect();
    let mut rules: Vec<Rule> = order_of("cba");
    rules[2] = rules[2].clone().enabled(false);
    injector.apply(Change::Replace(rules), None).unwrap();
    let undo = injector.undo(injector.audit().last()).unwrap();
    assert_eq!(order(&injector), "abc");
    injector.undo(undo.id).unwrap();
    assert_eq!(order(&injector), "cba");
    assert!(!injector.rules().find("a").unwrap().is_enabled());
}

#[test]
fn an_undo_keeps_to_the_generation_that_was_seen() {
    let injector = with_rules("ab");
    let code = injector.as_actor(Actor::code());
    let error = code.undo(1, Some(1)).unwrap_err();
    let UndoError::Refused(ChangeError::Stale { current, .. }) = error else {
        panic!("{error}")
    };
    code.undo(1, Some(current)).unwrap();
    assert_eq!(order(&injector), "b");
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, bool),
    Remove(u8),
    Replace(Vec<u8>),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Undone from the last to the first, edits leave the rules as they were.
    #[test]
    fn edits_undone_backwards_leave_nothing(
        steps in prop::collection::vec(prop_oneof![
            3 => (0..6_u8, any::<bool>()).prop_map(|(id, on)| Step::Put(id, on)),
            2 => (0..6_u8).prop_map(Step::Remove),
            1 => prop::collection::vec(0..6_u8, 0..6).prop_map(Step::Replace),
        ], 1..20)
    ) {
        let injector = Injector::with_clock(ManualClock::new());
        let made = |id: u8, on: bool| rule(&id.to_string()).enabled(on);
        let mut states = Vec::new();
        for step in steps {
            let before: Vec<Arc<Rule>> = injector.rules().rules().to_vec();
            let change = match step {
                Step::Put(id, on) => Change::Put(made(id, on)),
                Step::Remove(id) => Change::Remove(id.to_string().parse().unwrap()),
                Step::Replace(ids) => Change::Replace(ids.into_iter().map(|id| made(id, true)).collect()),
            };
            if injector.apply(change, None).is_ok() {
                states.push((injector.audit().last(), before));
            }
        }
        let rules = || injector.rules().rules().to_vec();
        for (entry, before) in states.into_iter().rev() {
            let after = rules();
            let undone = injector.undo(entry);
            if let Err(UndoError::NothingWritten) = undone {
                prop_assert_eq!(&after, &before);
                continue;
            }
            prop_assert_eq!(&rules(), &before);
            // An undo is undone as well, and that once more.
            injector.undo(undone.unwrap().id).unwrap();
            prop_assert_eq!(&rules(), &after);
            injector.undo(injector.audit().last()).unwrap();
            prop_assert_eq!(&rules(), &before);
        }
    }
}
