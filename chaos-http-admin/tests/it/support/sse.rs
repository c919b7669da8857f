//! A client of a stream of server-sent events, without a socket.

use axum::{
    body::{Body, BodyDataStream, to_bytes},
    http::{Request, header},
};
use futures_util::StreamExt;
use tower::ServiceExt;

use crate::support::port::{Answer, Port};

/// What a stream sends, block by block.
pub(crate) struct Sse {
    body: BodyDataStream,
    text: String,
}

impl Sse {
    /// Opens a stream, with `Last-Event-ID` if it is given. Returns what is answered instead of one.
    pub(crate) async fn open(port: &Port, path: &str, last: Option<&str>) -> Result<Self, Answer> {
        let mut request = Request::get(path).header(header::HOST, "localhost");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = port.router.clone().oneshot(request).await.unwrap();
        if response.status() != 200 {
            let (head, body) = response.into_parts();
            return Err(Answer {
                status: head.status,
                headers: head.headers,
                body: to_bytes(body, usize::MAX).await.unwrap().into(),
            });
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        })
    }

    /// The next block of lines, whatever it is; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

/// The value of a field of an event; empty if it has none.
pub(crate) fn field(block: &str, name: &str) -> String {
    let mut lines = block.lines().filter_map(|line| line.split_once(": "));
    let line = lines.find(|(field, _)| *field == name);
    line.map(|(_, value)| value.to_owned()).unwrap_or_default()
}
