//! A receiver of webhooks.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
};

use serde_json::Value;

/// A receiver of webhooks, which refuses the first of the requests.
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) bodies: Receiver<Value>,
}

impl Hook {
    pub(crate) fn start(mut refused: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret", listener.local_addr().unwrap());
        let (sender, bodies) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap() > 2 {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let status = match refused {
                    0 => "204 No Content",
                    _ => "500 Internal Server Error",
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                match refused {
                    0 => drop(sender.send(serde_json::from_slice(&body).unwrap())),
                    _ => refused -= 1,
                }
            }
        });
        Self { url, bodies }
    }
}
