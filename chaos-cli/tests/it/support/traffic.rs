//! A service that is called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{Router, routing::get};
use chaos_core::Injector;
use chaos_tower::InjectLayer;
use tokio::{runtime::Builder, time::sleep};

use crate::support::port::serve;

/// A service with the site `http.server`, which is called every few milliseconds until this is dropped.
pub(crate) struct Traffic {
    /// The address of what is called.
    pub(crate) url: String,
    ended: Arc<AtomicBool>,
    /// How many answers say that a fault was injected.
    faults: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub(crate) fn new(injector: &Injector) -> Self {
        let service = Router::new().route("/orders/{id}", get(async || "a teapot"));
        let service = service.layer(InjectLayer::with_injector("http.server", injector));
        let url = format!("{}/orders/7", serve(service));
        let ended = Arc::new(AtomicBool::new(false));
        let faults = Arc::new(AtomicU64::new(0));
        let (is_ended, seen, to) = (Arc::clone(&ended), Arc::clone(&faults), url.clone());
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                while !is_ended.load(Ordering::Relaxed) {
                    let answer = client.get(&to).send().await.unwrap();
                    if answer.headers().contains_key("x-chaos-fault") {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                    answer.bytes().await.unwrap();
                    sleep(Duration::from_millis(5)).await;
                }
            });
        });
        Self {
            url,
            ended,
            faults,
            thread: Some(thread),
        }
    }
}

impl Traffic {
    /// Returns how many answers so far say that a fault was injected.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}
