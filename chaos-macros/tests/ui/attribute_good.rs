#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
//! A crate that forbids unsafe code and denies every warning.

use std::{future::Future, pin::Pin};

use chaos_core::{Injected, Injector, site};

/// Documented.
#[site("ui.attribute.plain")]
pub fn plain() -> Result<(), Injected> {
    Ok(())
}

/// All there is in the brackets.
#[site(injector: injector, "ui.attribute.all", a = b, c = %d, e = ?Some(d), r#type = "x",)]
pub async fn all(injector: &Injector, b: &str, d: u64) -> std::io::Result<()> {
    Ok(())
}

/// Names that the macro could be thought to use for itself.
#[site(injector: *site, SITE, site = injector)]
pub async fn hygiene(
    site: &Injector,
    injector: &str,
) -> std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    #[expect(dead_code, reason = "hides the one of the prelude")]
    enum Result {}
    mod chaos_core {}
    Ok(injector.len() as u8)
}

const SITE: &str = "ui.attribute.hygiene";

/// A future by hand.
#[site("ui.attribute.boxed", id = %id)]
pub fn boxed(id: u64) -> Pin<Box<dyn Future<Output = Result<u64, Injected>> + Send>> {
    let id = id + 1;
    Box::pin(async move { Ok(id) })
}

fn is_send<T: Send>(_: T) {}

fn main() {
    plain().unwrap();
    let injector = Injector::new();
    is_send(all(&injector, "b", 7));
    is_send(hygiene(&injector, "x"));
    is_send(boxed(7));
}
