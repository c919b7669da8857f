//! A fault in front of a client is what that client makes of a real one: its own kinds of errors,
//! statuses and bodies, and the network is left alone. Real peers say what real ones look like.

mod hyper_util;
mod peer;
mod reqwest;
mod tonic;

use std::{error::Error, io, time::Duration};

use chaos_core::{Injected, Injector, wire};
use chaos_tower::InjectLayer;

const DELAY: Duration = Duration::from_millis(100);

/// A layer in front of a client, and the one rule that hits it.
fn hit_by(fault: &str) -> (Injector, InjectLayer) {
    let injector = Injector::new();
    let rule = format!(r#"{{ "id": "r", "site": "client", "faults": [{fault}] }}"#);
    injector.put(wire::rule_from_json(rule.as_bytes(), None).unwrap());
    let layer = InjectLayer::with_injector("client", &injector);
    (injector, layer)
}

fn io_kind<'e>(error: &'e (dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

#[track_caller]
fn assert_injected(error: &(dyn Error + 'static)) {
    let injected = Injected::find(error).unwrap_or_else(|| panic!("not marked: {error:?}"));
    assert_eq!((injected.rule().as_str(), injected.site()), ("r", "client"));
}
