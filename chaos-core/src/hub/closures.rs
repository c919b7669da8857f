//! Custom faults: the closures by which an application injects faults of its own.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;

use crate::{
    error::RuleError,
    fault::{Fault, custom::CustomFault},
    hub::reentrancy::ReentrancyGuard,
    name::RuleId,
};

/// The call about which the closure of a custom fault decides.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CustomCall<'a> {
    /// The name of the site.
    pub site: &'static str,
    /// The id of the rule.
    pub rule: &'a RuleId,
    /// The fields of the fault besides `name`, as the text of a JSON object.
    pub arguments: &'a str,
}

type Closure = Arc<dyn Fn(&CustomCall<'_>) -> Option<Fault> + Send + Sync>;

/// Defined in every process unless the application defines another: the `print` of fail-rs.
const PRINT: &str = "print";

/// The closures by name.
#[derive(Default)]
pub(crate) struct Closures(ArcSwap<BTreeMap<Arc<str>, Closure>>);

impl Closures {
    pub(crate) fn define(&self, name: &str, closure: Closure) {
        self.0.rcu(|closures| {
            let mut closures = BTreeMap::clone(closures);
            closures.insert(name.into(), Arc::clone(&closure));
            closures
        });
    }

    pub(crate) fn ask(&self, custom: &CustomFault, call: &CustomCall<'_>) -> Option<Fault> {
        let closure = self.0.load().get(&custom.name).map(Arc::clone);
        match closure {
            Some(closure) => closure(call),
            None if &*custom.name == PRINT => print(call),
            None => None,
        }
    }

    pub(crate) fn check(&self, fault: &Fault) -> Result<(), RuleError> {
        let custom = match fault {
            Fault::Custom(custom) => custom,
            Fault::OneOf(one_of) => return one_of.check(|fault| self.check(fault)),
            _ => return Ok(()),
        };
        let closures = self.0.load();
        if closures.contains_key(&custom.name) || &*custom.name == PRINT {
            return Ok(());
        }
        let problem = format!("this process defines no custom fault {:?}", custom.name);
        let names: Vec<_> = closures.keys().map(|name| &**name).collect();
        let allowed = match names.as_slice() {
            [] => PRINT.to_owned(),
            names => format!("{}, {PRINT}", names.join(", ")),
        };
        Err(RuleError::new("custom.name", problem, allowed))
    }
}

/// Emits an event with the rule's arguments, and leaves the call alone.
fn print(call: &CustomCall<'_>) -> Option<Fault> {
    let _guard = ReentrancyGuard::begin();
    tracing::info!(
        target: "chaos",
        site = call.site,
        rule = call.rule.as_str(),
        arguments = call.arguments,
        "printed",
    );
    None
}

impl fmt::Debug for Closures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.load().keys()).finish()
    }
}
