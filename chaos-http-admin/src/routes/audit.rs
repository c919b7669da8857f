//! `/v1/audit`: who did what, as far back as the injector remembers.

use axum::{Json, extract::State};
use chaos_core::{Entries, Injector};
use serde_json::{Value, json};

use crate::{
    extract::query::PageParams,
    history::{entry::entry, process_id::process_id},
};

/// In the order in which it happened. With `after`, what followed that entry; without, the latest.
pub(crate) async fn list(
    State(injector): State<Injector>,
    PageParams { after, limit }: PageParams,
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
    Json(json!({ "run": process_id(), "last": last, "missed": missed, "entries": shown }))
}
