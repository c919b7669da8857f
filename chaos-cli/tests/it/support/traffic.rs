//! A service that is called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub(crate) fn new(injector: &Injector) -> Self {
        let service = Router::new().route("/orders/{id}", get(async || "a teapot"));
        let service = service.layer(InjectLayer::with_injector("http.server", injector));
        let url = format!("{}/orders/7", serve(service));
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                while !is_ended.load(Ordering::Relaxed) {
                    let answer = client.get(&url).send().await.unwrap();
                    answer.bytes().await.unwrap();
                    sleep(Duration::from_millis(5)).await;
                }
            });
        });
        Self {
            ended,
            thread: Some(thread),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}
