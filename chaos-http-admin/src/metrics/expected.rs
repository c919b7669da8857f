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
    // Whether each has ended the call by now, and its names so far.
    let mut lists: Vec<(bool, Vec<&str>)> = vec![(false, Vec::new())];
    for fault in rule.faults() {
        let options: Vec<_> = match fault {
            Fault::OneOf(choice) => choice.options().iter().map(|(_, fault)| fault).collect(),
            fault => vec![fault],
        };
        let mut longer = Vec::new();
        for (has_ended, names) in lists {
            for option in &options {
                // After a fault that ends the call, only what acts on its response happens.
                let happens = !has_ended || option.acts_on_response();
                let name = happens.then(|| option.name());
                let names = names.iter().copied().chain(name).collect();
                longer.push((has_ended || option.ends_call(), names));
            }
        }
        longer.sort_unstable();
        longer.dedup();
        lists = longer;
        if lists.len() > MAX_SERIES_OF_RULE {
            break;
        }
    }
    let mut names: Vec<_> = lists
        .into_iter()
        .map(|(_, names)| names.join("+"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
