//! A fault that the application defines: its name, and the arguments that a rule gives it.

use std::sync::Arc;

/// A fault that the application has defined by name, with arguments as a JSON object.
///
/// ```
/// use chaos_core::{Fault, Injector, Rule, fault::CustomFault, inject};
///
/// let injector = Injector::new();
/// injector.define("out-of-stock", |_| Some(Fault::error("out of stock")));
/// let fault = Fault::Custom(CustomFault::new("out-of-stock", r#"{"left": 0}"#));
/// injector.put(Rule::new("stock".parse()?, "stock.take".parse()?, fault));
/// assert!(inject!(injector: &injector, "stock.take").is_err());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomFault {
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Arc<str>,
}

impl CustomFault {
    /// Creates a fault that calls the closure defined with
    /// [`Injector::define`](crate::Injector::define) under this name. The closure reads `arguments`,
    /// which is a JSON object.
    #[must_use]
    pub fn new(name: &str, arguments: &str) -> Self {
        let (name, arguments) = (name.into(), arguments.into());
        Self { name, arguments }
    }
}
