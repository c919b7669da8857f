//! A network between the program and a port, which can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Passes on what is sent to the port, and what the port answers.
pub(crate) struct Relay {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Whether nothing passes; connections stay open.
    cut: AtomicBool,
    /// Whether the port is killed when it is first written to.
    dies_at_write: bool,
    dead: AtomicBool,
    /// Whether answers seem to come from another process.
    restarted: AtomicBool,
    /// Whether the answer to the next write is lost, with its connection.
    loses_answer: AtomicBool,
}

impl Relay {
    /// A network that can be cut.
    pub(crate) fn new(to: &str) -> Self {
        Self::of(to, State::default())
    }

    /// A port that answers until something is to be changed, and then is gone, as if it was killed.
    pub(crate) fn that_dies_at_a_write(to: &str) -> Self {
        let dies_at_write = true;
        let state = State {
            dies_at_write,
            ..State::default()
        };
        Self::of(to, state)
    }

    /// A port that makes what is first written to it, and whose answer to that is lost.
    pub(crate) fn that_loses_an_answer(to: &str) -> Self {
        let loses_answer = true.into();
        let state = State {
            loses_answer,
            ..State::default()
        };
        Self::of(to, state)
    }

    fn of(to: &str, state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, to) = (Arc::new(state), to.replace("http://", ""));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if shared.dead.load(Ordering::Relaxed) {
                    return;
                }
                let port = TcpStream::connect(&to).unwrap();
                let lost = Arc::new(AtomicBool::new(false));
                pass(&client, &port, &shared, &lost, true);
                pass(&port, &client, &shared, &lost, false);
            }
        });
        Self { url, state }
    }

    /// From here on nothing passes, in either direction.
    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::Relaxed);
    }

    /// From here on, answers seem to come from another process.
    pub(crate) fn restart(&self) {
        self.state.restarted.store(true, Ordering::Relaxed);
    }

    /// What is sent from here on passes, and what was held back, too.
    pub(crate) fn mend(&self) {
        self.state.cut.store(false, Ordering::Relaxed);
    }
}

fn pass(
    from: &TcpStream,
    to: &TcpStream,
    state: &Arc<State>,
    lost: &Arc<AtomicBool>,
    is_request: bool,
) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (state, lost) = (Arc::clone(state), Arc::clone(lost));
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if state.dies_at_write && is_request && is_write(&bytes[..read]) {
                state.dead.store(true, Ordering::Relaxed);
                break;
            }
            let is_write = is_request && is_write(&bytes[..read]);
            if is_write && state.loses_answer.swap(false, Ordering::Relaxed) {
                lost.store(true, Ordering::Relaxed);
            } else if !is_request && lost.load(Ordering::Relaxed) {
                break;
            }
            while state.cut.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_millis(10));
            }
            if !is_request && state.restarted.load(Ordering::Relaxed) {
                rename_process(&mut bytes[..read]);
            }
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// Gives the process that a status names another id, which is as long.
fn rename_process(bytes: &mut [u8]) {
    let field = b"\"run\":\"";
    let found = bytes.windows(field.len()).position(|part| part == field);
    if let Some(at) = found {
        let id = &mut bytes[at + field.len()..];
        let id = id.iter_mut().take_while(|byte| **byte != b'"');
        id.for_each(|byte| *byte = if *byte == b'0' { b'1' } else { b'0' });
    }
}

/// Whether these bytes begin a request that changes something.
fn is_write(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let head = text.lines().next().unwrap_or_default();
    head.ends_with("HTTP/1.1") && !head.starts_with("GET ") && !head.contains("dry_run=true")
}
