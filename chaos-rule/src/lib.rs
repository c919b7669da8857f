//! The macro [`rule!`], which makes a rule in Rust code from JSON that the compiler checks.
//!
//! It is in a crate of its own because it reads the rule with [`chaos_core`] when it is expanded.
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod json;
mod partial;

use proc_macro::TokenStream;
use quote::quote;

use crate::json::Input;

/// Makes a [`chaos_core::Rule`] from JSON, as the admin API and files of rules have it, so each word means
/// the same: a `path` of `/orders/{id}` is a route, for example.
///
/// ```
/// use chaos_core::{Injector, inject};
/// use chaos_rule::rule;
///
/// let injector = Injector::new();
/// let lost = injector.arm(rule!({
///     "id": "lost",
///     "site": "db.*",
///     "match": { "labels": { "table": "orders" } },
///     "limit": 1,
///     "faults": [{ "error": "connection lost" }]
/// }));
/// assert!(inject!(injector: &injector, "db.read", table = "orders").is_err());
/// assert!(inject!(injector: &injector, "db.read", table = "orders").is_ok());
/// lost.assert_injected(1);
/// ```
///
/// - **A rule of literals is checked by the compiler**, with the code that reads it at run time: names, numbers,
///   durations, routes and regular expressions. The error stands at the field, and says what is
///   allowed.
/// - **A value may be an expression**, of any type that [`serde::Serialize`] knows: `"limit": retries + 1`. The compiler
///   then checks the names of all fields, and the site, the conditions and each fault that have no expression in them.
///   The rest is checked when the rule is evaluated.
/// - **The `id` may be left out.** The default is the name of the file with the line and the column of the macro:
///   `checkout.rs:12:9`. Each rule that one macro makes has this id, so `put` replaces the one before. `arm` numbers
///   it instead if another rule has the id (`checkout.rs:12:9:2`), so a function that makes a rule can be called more
///   than once.
/// - The braces around the fields may be left out: `rule! { "site": "db.read", … }`.
///
/// It needs the feature `serde` of chaos-core. A rule with a `window` needs the feature `window` as well.
///
/// [`serde::Serialize`]: https://docs.rs/serde/latest/serde/trait.Serialize.html
///
/// ```
/// # use chaos_core::Injector;
/// # use chaos_rule::rule;
/// let (retries, site) = (3, "db.read");
/// let rule = rule! { "site": site, "limit": retries + 1, "faults": [{ "error": "lost" }] };
/// assert_eq!(rule.site().as_str(), "db.read");
/// ```
///
/// # Panics
/// The macro panics if the rule has expressions and is not valid. The message is that of the
/// [`RuleError`](chaos_core::RuleError), and the location is that of the macro.
///
/// # Compile errors
/// A rule of literals is refused for what [`rule_from_json`](chaos_core::wire::rule_from_json) refuses, and any rule
/// for an unknown field and for what is not JSON.
#[proc_macro]
pub fn rule(input: TokenStream) -> TokenStream {
    let expanded = syn::parse::<Input>(input).and_then(|input| {
        let json = match input.checked()? {
            Some(literals) => quote!(::chaos_core::__private::Json::Text(#literals)),
            None => {
                input.check_literals()?;
                let fields = &input.fields;
                quote!(::chaos_core::__private::Json::Value(
                    ::chaos_core::__private::json!({ #fields })
                ))
            }
        };
        let id = match input.default_id() {
            None => quote!(::core::option::Option::None),
            Some(id) => quote!(::core::option::Option::Some(#id)),
        };
        Ok(quote!(::chaos_core::__private::rule(#json, #id)))
    });
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
