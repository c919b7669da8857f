//! What a peer heard of a server, and how it ended: what every test of a surface looks at.

use std::{io, sync::LazyLock, time::Duration};

use chaos_core::Clock;
use h2::Reason;
use http::{HeaderMap, StatusCode};

/// Time on one stopwatch, for peers and servers alike.
pub(crate) fn now() -> Duration {
    static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::monotonic);
    CLOCK.now()
}

/// One answer, or what there was of it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// When the peer began to ask.
    pub(crate) asked_at: Duration,
    /// When the peer was told to go on (`100 Continue`); only in HTTP/1.
    pub(crate) interims: Vec<Duration>,
    pub(crate) head: Option<Head>,
    /// The bytes of the body in the pieces that they came in, each with its time.
    pub(crate) pieces: Vec<(Duration, Vec<u8>)>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) end: End,
    pub(crate) ended_at: Duration,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) at: Duration,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whether it was the end of the stream as well; never in HTTP/1.
    pub(crate) is_end: bool,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As the protocol says that it ends.
    Whole,
    /// FIN, where the protocol had more to come.
    Fin,
    /// RST: `ECONNRESET`.
    Rst,
    /// The peer reset this stream, and no other (`RST_STREAM`).
    StreamReset(Reason),
    /// The client found it to be against the protocol.
    Malformed(Reason),
    /// The peer closed the connection, and said why (`GOAWAY`).
    GoAway(Reason),
    /// Something else became of the connection.
    Lost(io::ErrorKind),
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self {
            asked_at: now(),
            interims: Vec::new(),
            head: None,
            pieces: Vec::new(),
            trailers: None,
            end: End::Whole,
            ended_at: Duration::ZERO,
        }
    }

    pub(crate) fn ended(mut self, end: End) -> Self {
        (self.end, self.ended_at) = (end, now());
        self
    }

    pub(crate) fn head(&self) -> &Head {
        match &self.head {
            Some(head) => head,
            None => panic!("no head: {self:?}"),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.head().status.as_u16()
    }

    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.head().headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a trailer; empty if there is none.
    pub(crate) fn trailer(&self, name: &str) -> &str {
        let value = self.trailers.as_ref().and_then(|all| all.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let pieces = self.pieces.iter().flat_map(|(_, piece)| piece);
        pieces.copied().collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// When the first byte of the body came.
    pub(crate) fn first_byte_at(&self) -> Duration {
        match self.pieces.first() {
            Some((at, _)) => *at,
            None => panic!("no bytes: {self:?}"),
        }
    }

    /// When so many bytes of the body had come.
    pub(crate) fn bytes_at(&self, bytes: usize) -> Duration {
        let mut come = 0;
        let reach = self.pieces.iter().find(|(_, piece)| {
            come += piece.len();
            come >= bytes
        });
        reach
            .unwrap_or_else(|| panic!("fewer than {bytes}: {self:?}"))
            .0
    }

    pub(crate) fn took(&self) -> Duration {
        self.ended_at - self.asked_at
    }

    /// That it is the answer that is given when nothing is injected.
    #[track_caller]
    pub(crate) fn is_served(&self, body: &[u8]) {
        assert_eq!(self.end, End::Whole, "{self:?}");
        assert_eq!(self.status(), 200, "{self:?}");
        assert!(self.body() == body, "{self:?}");
    }

    /// That nothing came but this end.
    #[track_caller]
    pub(crate) fn is_nothing_but(&self, end: End) {
        assert_eq!(self.end, end, "{self:?}");
        assert!(self.head.is_none() && self.pieces.is_empty(), "{self:?}");
    }
}
