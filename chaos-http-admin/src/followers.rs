//! The consumers of what happens at an injector (event streams, the audit file, webhooks), and the
//! sources of rules that the application reports.

pub(crate) mod sources;

use std::sync::Arc;

use chaos_core::Injector;
use serde_json::{Value, json};
use tokio::sync::Mutex;

#[cfg(feature = "webhooks")]
use crate::webhook::delivery::Delivery;
use crate::{
    followers::sources::Sources,
    history::{audit_file::AuditFile, feed::Feed, live_frames::LiveFrames},
    worker::Worker,
};

/// The consumers and sources of one [`Admin`](crate::Admin).
#[derive(Clone, Debug)]
pub(crate) struct Followers {
    pub(crate) feed: Feed,
    pub(crate) live: LiveFrames,
    /// Locked while an edit of the port waits for the file and is made.
    pub(crate) edits: Arc<Mutex<()>>,
    /// Resumes, which may wait for a disk.
    pub(crate) resumes: Worker,
    /// Locked while the status is made, which takes longer the more rules there are.
    pub(crate) status: Arc<Mutex<()>>,
    pub(crate) worker: Worker,
    pub(crate) file: Option<AuditFile>,
    pub(crate) sources: Sources,
    #[cfg(feature = "webhooks")]
    pub(crate) webhooks: Vec<Delivery>,
}

impl Followers {
    pub(crate) fn of(injector: &Injector) -> Self {
        Self {
            feed: Feed::of(injector),
            live: LiveFrames::of(injector),
            edits: Arc::default(),
            status: Arc::default(),
            resumes: Worker::new(),
            worker: Worker::new(),
            file: None,
            sources: Sources::default(),
            #[cfg(feature = "webhooks")]
            webhooks: Vec::new(),
        }
    }

    /// Adds the state of each to the JSON of the status.
    pub(crate) fn report(&self, injector: &Injector, status: &mut Value) {
        status["audit"] = json!({ "last": injector.audit().last() });
        if let Some(file) = &self.file {
            let file = file.status();
            status["audit"]["file"] = json!({
                "written": file.written,
                "failed": file.failed,
                "lost": file.lost,
                "error": file.error,
            });
        }
        #[cfg(feature = "webhooks")]
        if !self.webhooks.is_empty() {
            let webhooks = self.webhooks.iter().map(Delivery::status);
            status["webhooks"] = webhooks.collect();
        }
        if !self.sources.is_empty() {
            let sources = self.sources.check().into_iter();
            status["sources"] = sources
                .map(|(name, error)| json!({ "name": &*name, "error": error }))
                .collect();
        }
        status["listeners"] = json!(self.feed.places().taken());
    }
}
