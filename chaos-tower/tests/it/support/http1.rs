//! A client of HTTP/1.1 that is nothing but a socket: it sees bytes, FIN and RST as they come.

use std::{fmt::Write as _, io, net::SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::EXPECT};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::Notify,
};

use crate::support::{
    ask::Ask,
    heard::{End, Head, Heard, now},
};

/// One connection, on which one request follows the other.
pub(crate) struct Http1 {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    /// What came and was not yet understood.
    came: Vec<u8>,
}

impl Http1 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (from, to) = stream.into_split();
        let came = Vec::new();
        Self { from, to, came }
    }

    /// Asks, and hears the answer out. With `expect`, the body is sent when the server says to go on.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Heard {
        let heard = Heard::new();
        let (mut head, mut body) = written(ask);
        let go_on = Notify::new();
        if !ask.headers.contains_key(EXPECT) {
            head.append(&mut body);
        }
        let Self { from, to, came } = self;
        // A server that answers before it has read everything may stop reading; how that ended is
        // for the reading side to say. What is not sent by then need not be.
        let send = async {
            let _ = to.write_all(&head).await;
            if !body.is_empty() {
                go_on.notified().await;
                let _ = to.write_all(&body).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = hear(from, came, heard, (&ask.method, &go_on)) => heard,
            () = send => unreachable!("pending"),
        }
    }

    /// Sends bytes on a connection that has been upgraded, and returns as many that come back.
    pub(crate) async fn echo(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.to.write_all(bytes).await?;
        while self.came.len() < bytes.len() {
            let mut buffer = [0; 1024];
            match self.from.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.came.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(std::mem::take(&mut self.came))
    }
}

/// The bytes of the head, and those of the body.
fn written(ask: &Ask) -> (Vec<u8>, Vec<u8>) {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: test\r\n", ask.method, ask.path);
    for (name, value) in &ask.headers {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut bytes = Vec::new();
    match ask.body.as_slice() {
        [] => {}
        [body] => {
            let length = body.len() + usize::from(!ask.is_whole);
            let _ = write!(head, "content-length: {length}\r\n");
            bytes.extend_from_slice(body);
        }
        chunks => {
            head.push_str("transfer-encoding: chunked\r\n");
            for chunk in chunks {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            if ask.is_whole {
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
    }
    head.push_str("\r\n");
    (head.into_bytes(), bytes)
}

/// `method`: that of the request. `go_on`: to be told when the server says so.
async fn hear(
    from: &mut OwnedReadHalf,
    came: &mut Vec<u8>,
    mut heard: Heard,
    (method, go_on): (&Method, &Notify),
) -> Heard {
    let mut framing = Framing::Head;
    loop {
        while let Some(next) = framing.take(came, &mut heard) {
            framing = match next {
                Framing::Head => {
                    go_on.notify_one();
                    Framing::Head
                }
                _ if matches!(framing, Framing::Head) && method == Method::HEAD => Framing::Done,
                next => next,
            };
        }
        if matches!(framing, Framing::Done) {
            return heard.ended(End::Whole);
        }
        let mut buffer = [0; 64 << 10];
        match from.read(&mut buffer).await {
            Ok(0) if matches!(framing, Framing::UntilFin) => return heard.ended(End::Whole),
            Ok(0) => return heard.ended(End::Fin),
            Ok(read) => came.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return heard.ended(End::Rst);
            }
            Err(error) => return heard.ended(End::Lost(error.kind())),
        }
    }
}

/// What is to come next.
#[derive(Clone, Copy)]
enum Framing {
    Head,
    /// So many bytes, and the end.
    Length(usize),
    /// The line before a chunk.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Lines, of which an empty one is the last.
    Trailers,
    UntilFin,
    Done,
}

impl Framing {
    /// Takes what it can of what came; `None` if it needs more to go on.
    fn take(self, came: &mut Vec<u8>, heard: &mut Heard) -> Option<Self> {
        Some(match self {
            Self::Head => {
                let lines = take_head(came)?;
                let (head, framing) = read_head(&lines);
                match framing {
                    Self::Head => heard.interims.push(head.at),
                    _ => heard.head = Some(head),
                }
                framing
            }
            Self::Length(0) => Self::Done,
            Self::Length(left) => Self::Length(left - take_bytes(left, came, heard)?),
            Self::ChunkSize => match usize::from_str_radix(&take_line(came)?, 16).unwrap() {
                0 => Self::Trailers,
                size => Self::Chunk(size),
            },
            Self::Chunk(0) => Self::ChunkEnd,
            Self::Chunk(left) => Self::Chunk(left - take_bytes(left, came, heard)?),
            Self::ChunkEnd => {
                assert_eq!(take_line(came)?, "");
                Self::ChunkSize
            }
            Self::Trailers => match take_line(came)? {
                line if line.is_empty() => Self::Done,
                line => {
                    let (name, value) = field(&line);
                    let trailers = heard.trailers.get_or_insert_default();
                    trailers.append(name, value);
                    Self::Trailers
                }
            },
            Self::UntilFin => {
                take_bytes(usize::MAX, came, heard)?;
                Self::UntilFin
            }
            Self::Done => return None,
        })
    }
}

fn take_bytes(most: usize, came: &mut Vec<u8>, heard: &mut Heard) -> Option<usize> {
    let taken = most.min(came.len());
    if taken == 0 {
        return None;
    }
    heard.pieces.push((now(), came.drain(..taken).collect()));
    Some(taken)
}

fn take_line(came: &mut Vec<u8>) -> Option<String> {
    let end = came.windows(2).position(|two| two == b"\r\n")?;
    let line = String::from_utf8(came[..end].to_vec()).unwrap();
    came.drain(..end + 2);
    Some(line)
}

fn take_head(came: &mut Vec<u8>) -> Option<Vec<String>> {
    came.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut line = || take_line(came).filter(|line| !line.is_empty());
    Some(std::iter::from_fn(&mut line).collect())
}

fn read_head(lines: &[String]) -> (Head, Framing) {
    let status = lines[0].split(' ').nth(1).unwrap();
    let status: StatusCode = status.parse().unwrap();
    let headers: HeaderMap = lines[1..].iter().map(|line| field(line)).collect();
    let framing = match (
        headers.get("content-length"),
        headers.get("transfer-encoding"),
    ) {
        _ if status == StatusCode::CONTINUE => Framing::Head,
        _ if [
            StatusCode::SWITCHING_PROTOCOLS,
            StatusCode::NO_CONTENT,
            StatusCode::NOT_MODIFIED,
        ]
        .contains(&status) =>
        {
            Framing::Done
        }
        (Some(length), _) => Framing::Length(length.to_str().unwrap().parse().unwrap()),
        (None, Some(_)) => Framing::ChunkSize,
        (None, None) => Framing::UntilFin,
    };
    let head = Head {
        at: now(),
        status,
        headers,
        is_end: false,
    };
    (head, framing)
}

fn field(line: &str) -> (HeaderName, HeaderValue) {
    let (name, value) = line.split_once(':').unwrap();
    (name.parse().unwrap(), value.trim().parse().unwrap())
}
