//! A network that is slow: each part of what is sent arrives later.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Passes on what is sent to a port and what that answers, each part after a delay.
pub(crate) struct Slow {
    pub(crate) url: String,
    passed: Arc<Passed>,
}

#[derive(Default)]
struct Passed {
    connections: AtomicU64,
    /// In both directions.
    bytes: AtomicU64,
}

impl Slow {
    pub(crate) fn start(to: &str, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (to, passed) = (to.replace("http://", ""), Arc::<Passed>::default());
        let counted = Arc::clone(&passed);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&to)) else {
                    continue;
                };
                // The counts are only read by a person's test, after the fact.
                counted.connections.fetch_add(1, Ordering::Relaxed);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counted = Arc::clone(&counted);
                    thread::spawn(move || pump(from, to, delay, &counted));
                }
            }
        });
        Self { url, passed }
    }

    pub(crate) fn connections(&self) -> u64 {
        self.passed.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.passed.bytes.load(Ordering::Relaxed)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, delay: Duration, counted: &Passed) {
    let mut part = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut part) {
        thread::park_timeout(delay);
        if to.write_all(&part[..length]).is_err() {
            break;
        }
        counted.bytes.fetch_add(length as u64, Ordering::Relaxed);
    }
    // Either may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
