//! The attribute macro of chaos-core: a whole function as a site.
//!
//! Use it as `chaos_core::site`, with chaos-core's feature `macros`. This crate is there because a
//! procedural macro needs one of its own.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arguments;
mod function;

use proc_macro::TokenStream;

use crate::{arguments::Arguments, function::Function};

/// Makes a function a site: a place where faults may happen, each time it is called.
///
/// It puts one line at the start of the function, and changes nothing else: `inject!(…)?`, or
/// `inject_async!(…).await?` where the function is `async`. What stands in the brackets is what those
/// macros take: a name; before it, another injector; after it, labels, which are evaluated
/// only when the site is armed. Idle, it costs what that line costs.
///
/// ```
/// use chaos_core::{Injector, site};
///
/// #[site("db.read", table = table, id = %id)]
/// fn read(table: &str, id: u64) -> std::io::Result<Vec<u8>> {
///     Ok(Vec::new())
/// }
///
/// struct Shop {
///     injector: Injector,
/// }
///
/// impl Shop {
///     #[site(injector: &self.injector, "shop.buy", product = ?product)]
///     async fn buy(&self, product: Option<u64>) -> Result<(), Box<dyn std::error::Error>> {
///         Ok(())
///     }
/// }
/// # read("orders", 7).unwrap();
/// # drop(Shop { injector: Injector::new() }.buy(None));
/// ```
///
/// - **The function returns** a `Result<_, E>`, and `E: From<chaos_core::Injected>`: an injected
///   fault is an error of the function. [`std::io::Error`] and boxed errors have it.
/// - **Labels** see the arguments, `self` included, as the first line of the function would.
/// - **An `async` function** passes its site when it is first polled, not when it is called. So do
///   functions that end in `async move { … }`, `Box::pin(async move { … })` or
///   `async move { … }.boxed()`: there the line is the first one of the block. That makes it work
///   inside `#[async_trait]`.
/// - **Other attributes** stay, and see the line if they stand below. Of two sites of one function,
///   the lower one is passed first.
/// - **Elsewhere**, chaos-core is found by `crate`: `#[site(crate = my::chaos_core, "db.read")]`.
///
/// A `const fn`, and whatever is no function, does not compile; nor does a bad name.
#[proc_macro_attribute]
pub fn site(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = item.clone();
    let passing = syn::parse::<Arguments>(arguments)
        .and_then(|arguments| syn::parse::<Function>(item)?.passing(&arguments));
    match passing {
        Ok(function) => function.into(),
        Err(error) => {
            // With the function as it was, or all that calls it would be in error too.
            let mut tokens = TokenStream::from(error.into_compile_error());
            tokens.extend(original);
            tokens
        }
    }
}
