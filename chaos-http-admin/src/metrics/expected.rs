//! The series of injections that a rule can begin. They are served with 0 from its arming on: a
//! series that begins at 1 has not grown in the eyes of Prometheus' `increase`.

use chaos_core::{Fault, Rule};

/// The number of series of one rule that are served with 0.
const MAX_SERIES_OF_RULE: usize = 100;

/// Returns the labels site, rule and fault of each series that `rule` can begin at these sites, or
/// at its own if it names one; nothing if there are more than [`MAX_SERIES_OF_RULE`].
pub(super) fn series(rule: &Rule, sites: &[&str]) -> Vec<[String; 3]> {
    let pattern = rule.site().as_str();
    let sites: Vec<_> = if pattern.contains('*') {
        let matching = sites.iter().filter(|site| rule.site().matches(site));
        matching.copied().take(MAX_SERIES_OF_RULE + 1).collect()
    } else {
        vec![pattern]
    };
    let faults = faults(rule);
    if sites.len() * faults.len() > MAX_SERIES_OF_RULE {
        return Vec::new();
    }
    let labels = |site: &str, fault: &String| [site, rule.id().as_str(), fault].map(str::to_owned);
    let of_site = |site| faults.iter().map(move |fault| labels(site, fault));
    sites.into_iter().flat_map(of_site).collect()
}

/// Returns each value that the label `fault` can have: one, unless the rule chooses. There may be
/// more than [`MAX_SERIES_OF_RULE`], but not many more.
fn faults(rule: &Rule) -> Vec<String> {
    let chooses = |fault: &Fault| matches!(fault, Fault::OneOf(_));
    if !rule.faults().iter().any(chooses) {
        return vec![rule.fault_names()];
    }
    let (mut ended, mut open) = (Vec::new(), vec![Vec::new()]);
    for fault in rule.faults() {
        let options: Vec<_> = match fault {
            Fault::OneOf(choice) => choice.options().iter().map(|(_, fault)| fault).collect(),
            fault => vec![fault],
        };
        let mut longer = Vec::new();
        for before in &open {
            for option in &options {
                let mut names: Vec<&str> = before.clone();
                names.push(option.name());
                // A choice that ends the call is the last fault of its series.
                let list = if option.ends_call() {
                    &mut ended
                } else {
                    &mut longer
                };
                list.push(names);
            }
        }
        for list in [&mut ended, &mut longer] {
            list.sort_unstable();
            list.dedup();
        }
        open = longer;
        if ended.len() + open.len() > MAX_SERIES_OF_RULE {
            break;
        }
    }
    ended.append(&mut open);
    ended.into_iter().map(|names| names.join("+")).collect()
}
