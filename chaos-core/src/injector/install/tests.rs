//! After any edits, each site holds what a scan of all rules finds.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    armed::Armed,
    decision::watchers::SiteMonitors,
    fault::Fault,
    injector::Injector,
    matcher::glob::SiteGlob,
    rule::{
        Rule,
        rule_set::{Change, ChangeError},
    },
    site::Site,
};

const SITES: [&str; 6] = ["a", "a.b", "a.c", "a.b.c", "b", "b.c"];
const GLOBS: [&str; 10] = [
    "a", "a.b", "a.c", "b", "nowhere", "*", "**", "a.*", "a.**", "**.c",
];

#[derive(Clone, Debug)]
enum EditStep {
    Put(WrittenRule),
    Edit(WrittenRule),
    Remove(u8),
    Replace(Vec<WrittenRule>),
    Site(usize),
    Halt,
    Resume,
}

/// An id, the position of a pattern, and whether the rule is enabled.
type WrittenRule = (u8, usize, bool);

fn steps() -> impl Strategy<Value = Vec<EditStep>> {
    let written = || (0..12_u8, 0..GLOBS.len(), prop::bool::weighted(0.8));
    let step = prop_oneof![
        6 => written().prop_map(EditStep::Put),
        3 => written().prop_map(EditStep::Edit),
        2 => (0..12_u8).prop_map(EditStep::Remove),
        1 => prop::collection::vec(written(), 0..14).prop_map(EditStep::Replace),
        2 => (0..SITES.len()).prop_map(EditStep::Site),
        1 => Just(EditStep::Halt),
        2 => Just(EditStep::Resume),
    ];
    prop::collection::vec(step, 1..60)
}

fn rule((id, glob, enabled): WrittenRule) -> Rule {
    let id = format!("r{id}").parse().unwrap();
    Rule::new(id, GLOBS[glob].parse().unwrap(), Fault::error("lost")).enabled(enabled)
}

fn take(injector: &Injector, step: EditStep) {
    let change = match step {
        EditStep::Put(written) => Change::Put(rule(written)),
        EditStep::Edit(written) => Change::Edit(rule(written)),
        EditStep::Remove(id) => Change::Remove(format!("r{id}").parse().unwrap()),
        EditStep::Replace(written) => Change::Replace(written.into_iter().map(rule).collect()),
        EditStep::Site(name) => {
            let _ = injector.site(SITES[name]);
            return;
        }
        EditStep::Halt => {
            injector.halt("enough");
            return;
        }
        EditStep::Resume => {
            injector.resume();
            return;
        }
    };
    match injector.apply(change, None) {
        Ok(_) | Err(ChangeError::Unknown(_) | ChangeError::Rule(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

fn holds(injector: &Injector, site: &Site) -> bool {
    let book = injector.book();
    let aims = |rule: &&Arc<Armed>| rule.rule.site.matches(site.name());
    let scanned: Vec<_> = book.rules.armed.iter().filter(aims).cloned().collect();
    let is_idle = injector.0.hub.is_halted() || scanned.iter().all(|rule| !rule.rule.enabled);
    match is_idle {
        true => !site.is_aimed_at(),
        false => site.holds(&scanned, None, &SiteMonitors::default()),
    }
}

proptest! {
    #[test]
    fn each_site_holds_what_a_scan_finds(steps in steps()) {
        let injector = Injector::new();
        let _ = injector.site("a.b");
        for step in steps {
            let text = format!("{step:?}");
            take(&injector, step);
            for site in injector.sites() {
                prop_assert!(holds(&injector, site), "{} after {}", site.name(), text);
            }
            let book = injector.book();
            let set = &book.rules.set;
            for id in 0..12 {
                let id = format!("r{id}");
                let scanned = set.rules().iter().position(|rule| rule.id().as_str() == id);
                prop_assert_eq!(set.position(&id), scanned, "{} after {}", id, text);
            }
            let ids = book.rules.armed.iter().map(|rule| &rule.rule.id);
            prop_assert!(ids.eq(set.rules().iter().map(|rule| rule.id())));
            for glob in GLOBS {
                let glob: SiteGlob = glob.parse().unwrap();
                let aimed: Vec<_> = book.sites.aimed_at(&glob).map(Site::name).collect();
                let scanned = book.sites.iter().map(Site::name).filter(|name| glob.matches(name));
                prop_assert_eq!(aimed, scanned.collect::<Vec<_>>(), "{} after {}", glob, text);
            }
        }
    }
}
