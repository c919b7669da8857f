//! `/v1/audit`: the entries that the injector's audit holds.

pub(crate) mod undo;

use axum::{Extension, extract::State, response::Response};
use chaos_core::{Injector, audit::Entries};
use serde_json::json;

use crate::{
    extract::query::PageParams,
    history::{entry::entry, process_id::process_id},
    routes::page::Page,
    worker::Worker,
};

/// Lists audit entries in the order of their ids: those that follow `after`, or the latest ones, as far as they
/// fit into one answer.
pub(crate) async fn list(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    PageParams { after, limit }: PageParams,
) -> Response {
    let list = move || {
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
        let mut page = Page::new("entries");
        match after {
            Some(_) => page.fill(shown.map(|it| entry(it))),
            None => page.fill_from_the_end(shown.rev().map(|it| entry(it))),
        }
        page.end(&json!({ "run": process_id(), "last": last, "missed": missed }))
    };
    worker.run(list).await
}
