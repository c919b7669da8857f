//! `/v1/audit`: who did what, as far back as the injector remembers.

use axum::{Json, extract::State};
use chaos_core::{Entries, Injector};
use serde_json::{Value, json};

use crate::{extract::query::Page, history::entry::entry, run::run};

/// In the order in which it happened. With `after`, what followed that entry; without, the latest.
pub(crate) async fn list(
    State(injector): State<Injector>,
    Page { after, limit }: Page,
) -> Json<Value> {
    let audit = injector.audit();
    let last = audit.last();
    let Entries {
        entries, missed, ..
    } = audit.after(after.unwrap_or(0));
    let skipped = match after {
        Some(_) => 0,
        None => entries.len().saturating_sub(limit),
    };
    let shown = entries.iter().skip(skipped).take(limit);
    let shown: Vec<Value> = shown.map(|it| entry(it)).collect();
    Json(json!({ "run": run(), "last": last, "missed": missed, "entries": shown }))
}
