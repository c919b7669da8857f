//! Server-sent events, from bytes that come in parts.

use crate::{client::event_stream::no_stream, failure::Failure};

/// The longest line that is kept. Those of a port are far shorter.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    pub(crate) id: Option<String>,
}

/// What has come, and is no whole event yet.
#[derive(Debug, Default)]
pub(super) struct Parser {
    bytes: Vec<u8>,
    event: Event,
}

impl Parser {
    /// Takes the next bytes, and returns the events that they complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Failure> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\r', '\n']), &mut events);
        }
        match self.bytes.len() + self.event.data.len() > MAX_BYTES {
            true => Err(no_stream()),
            false => Ok(events),
        }
    }

    fn line(&mut self, line: &str, events: &mut Vec<Event>) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    events.push(event);
                }
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or a field that is of no use here.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_bytes_are_parted() {
        let text = ": hello\n\nevent: injection\r\nid: 3-7\ndata: {\"a\":\ndata: \"ä\"}\n\nretry: 1000\n\ndata: x\n\n";
        let expected = [
            Event {
                name: "injection".to_owned(),
                data: "{\"a\":\n\"ä\"}".to_owned(),
                id: Some("3-7".to_owned()),
            },
            Event {
                data: "x".to_owned(),
                ..Event::default()
            },
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let parts = text.as_bytes().chunks(size);
            let events: Vec<_> = parts.flat_map(|part| parser.read(part).unwrap()).collect();
            assert_eq!(events, expected, "{size}");
        }
    }
}
