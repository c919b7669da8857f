//! The attribute macro of chaos-core, which makes a function a site.
//!
//! Use it as `chaos_core::site`, with the feature `macros` of chaos-core. It is in a crate of its
//! own because procedural macros must be.
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arguments;
mod function;

use proc_macro::TokenStream;

use crate::{arguments::Arguments, function::Function};

/// Makes a function a site: a place in the code where rules can inject faults, each time the
/// function is called.
///
/// The attribute inserts one line at the start of the function and changes nothing else:
/// `inject!(…)?`, or `inject_async!(…).await?` if the function is `async`. Its arguments are those
/// of these macros: the name of the site, optionally preceded by `injector: …` and followed by
/// `err = …` and labels. Labels are evaluated only while a rule is armed on the site. Until then, the site costs
/// what that line costs.
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
/// - **Return type.** The function must return `Result<_, E>`, because an injected fault is returned
///   as an error. Without `err = …`, the error type implements `From<chaos_core::Injected>`, as
///   [`std::io::Error`] and boxed errors do.
/// - **Any other error type**, such as that of a database client, is made by `err = …`, a function or
///   closure of the `Injected`: `#[site("db.read", err = |injected| Error::Io(injected.into()))]`.
///   `err` can therefore not be the name of a label.
/// - **A value.** With the word `value`, as in `#[site("stock.read", value)]`, the function returns
///   `Ok` with the value of a rule such as `{"value": 0}`, deserialized to the function's type. If the
///   value does not fit the type, and for every other fault that fails the call, the function returns
///   the error. This needs the feature `serde` of chaos-core.
/// - **Labels** can use the function's arguments, including `self`. A label is written `name =
///   text`, `name = %display` or `name = ?debug`.
/// - **Async functions** pass the site when they are first polled, not when they are called. This
///   includes functions that end in `async move { … }`, `Box::pin(async move { … })` or `async move
///   { … }.boxed()`, where the line is inserted at the start of the block; the attribute therefore
///   works inside `#[async_trait]`.
/// - **Other attributes** are kept, and those below this one see the inserted line. If a function
///   is two sites, the lower one is passed first.
/// - **Another path.** `#[site(crate = my::chaos_core, "db.read")]` names the path of chaos-core if
///   it is not `::chaos_core`.
///
/// # Compile errors
/// The attribute is refused on a `const fn`, on a function without a body, and on items other than
/// functions; so is a site name that is not valid.
#[proc_macro_attribute]
pub fn site(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = item.clone();
    let passing = syn::parse::<Arguments>(arguments)
        .and_then(|arguments| syn::parse::<Function>(item)?.passing(&arguments));
    match passing {
        Ok(function) => function.into(),
        Err(error) => {
            // The function is emitted unchanged with the error, so that its callers compile and
            // cause no further errors.
            let mut tokens = TokenStream::from(error.into_compile_error());
            tokens.extend(original);
            tokens
        }
    }
}
