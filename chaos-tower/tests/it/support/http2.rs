//! A client of HTTP/2 by the `h2` crate, with prior knowledge: it sees each stream's headers, reset,
//! trailers, and what becomes of the connection.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Version};
use tokio::{net::TcpStream, task::JoinHandle};

use crate::support::{
    ask::Ask,
    heard::{End, Head, Heard, now},
};

/// One connection, for any number of streams at once. When it is dropped, the connection is lost.
pub(crate) struct Http2 {
    streams: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (streams, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        Self {
            streams,
            connection,
        }
    }

    /// Asks, and hears the answer out. Dropped meanwhile, it resets the stream.
    pub(crate) async fn ask(&self, ask: &Ask) -> Heard {
        let mut heard = Heard::new();
        match self.hear(ask, &mut heard).await {
            Ok(()) => heard.ended(End::Whole),
            Err(error) => heard.ended(end_of(&error)),
        }
    }

    async fn hear(&self, ask: &Ask, heard: &mut Heard) -> Result<(), h2::Error> {
        let mut streams = self.streams.clone().ready().await?;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("http://test{}", ask.path))
            .version(Version::HTTP_2)
            .body(())
            .unwrap();
        *request.headers_mut() = ask.headers.clone();
        let (answer, mut body) = streams.send_request(request, ask.body.is_empty())?;
        for (at, piece) in ask.body.iter().enumerate() {
            let is_last = ask.is_whole && at + 1 == ask.body.len();
            // The stream may have been reset by now; then so has the answer been.
            let _ = body.send_data(piece.clone().into(), is_last);
        }
        let (head, mut from) = answer.await?.into_parts();
        heard.head = Some(Head {
            at: now(),
            status: head.status,
            headers: head.headers,
            is_end: from.is_end_stream(),
        });
        while let Some(data) = from.data().await {
            let data = data?;
            from.flow_control().release_capacity(data.len())?;
            if !data.is_empty() {
                heard.pieces.push((now(), data.to_vec()));
            }
        }
        heard.trailers = from.trailers().await?;
        Ok(())
    }

    /// Whether the connection goes on.
    pub(crate) fn is_open(&self) -> bool {
        !self.connection.is_finished()
    }

    /// Waits for the connection to end, and says how.
    pub(crate) async fn ended(&mut self) -> End {
        match (&mut self.connection).await.unwrap() {
            Ok(()) => End::Whole,
            Err(error) => end_of(&error),
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn end_of(error: &h2::Error) -> End {
    let reason = error.reason();
    match (reason, error.get_io()) {
        (Some(reason), _) if error.is_go_away() && error.is_remote() => End::GoAway(reason),
        (Some(reason), _) if error.is_reset() && error.is_remote() => End::StreamReset(reason),
        (Some(reason), _) => End::Malformed(reason),
        (None, Some(io)) if io.kind() == io::ErrorKind::ConnectionReset => End::Rst,
        (None, Some(io)) if io.kind() == io::ErrorKind::BrokenPipe => End::Fin,
        (None, Some(io)) => End::Lost(io.kind()),
        (None, None) => panic!("{error:?}"),
    }
}
