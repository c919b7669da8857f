//! `/v1/audit`: the entries that the injector's audit holds.

use axum::{Json, extract::State};
use chaos_core::{Injector, audit::Entries};
use serde_json::{Value, json};

use crate::{
    extract::query::PageParams,
    history::{entry::entry, process_id::process_id},
};

/// Lists audit entries in the order of their ids: those that follow `after`, or the latest ones.
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
