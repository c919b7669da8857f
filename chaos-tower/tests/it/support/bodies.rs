//! The rows of the table where something is done to the bytes of an answer, as any server's peers see
//! them.

use std::time::Duration;

use h2::Reason;
use serde_json::json;

use crate::support::{
    app::{BIG, PIECES, TEXT, big, streamed},
    ask::Ask,
    heard::End,
    peer::Protocol,
    server::Server,
};

const MS: Duration = Duration::from_millis(1);

pub(crate) async fn body_throttle(server: &Server) {
    server.aim(json!([{"body": {"throttle": "200kB/s"}}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/big")).await;
        heard.is_served(&big());
        assert_eq!(heard.header("x-chaos-fault"), "r");
        assert_eq!(heard.header("content-length"), BIG.to_string());
        assert!(heard.took() >= 500 * MS, "{protocol:?}: {:?}", heard.took());
        let half = heard.bytes_at(BIG / 2) - heard.asked_at;
        assert!(half >= 250 * MS, "{protocol:?}: half of it after {half:?}");
    }
}

pub(crate) async fn body_truncate(server: &Server) {
    server.aim(json!([{"body": {"truncate_after": "5B"}}]));
    for protocol in Protocol::BOTH {
        // With a length, and without one.
        for (path, whole) in [("/", TEXT.to_vec()), ("/stream", streamed())] {
            let heard = server.ask(protocol, &Ask::get(path)).await;
            assert_eq!(heard.status(), 200);
            let length = if path == "/" { "18" } else { "" };
            assert_eq!(heard.header("content-length"), length);
            assert_eq!(heard.body(), whole[..5], "{protocol:?} {path}");
            let missing = protocol.either(End::Fin, End::StreamReset(Reason::INTERNAL_ERROR));
            assert_eq!(heard.end, missing, "{path}");
        }
    }
}

pub(crate) async fn body_stall(server: &Server) {
    server.aim(json!([{"body": {"stall_after": "5B", "for": "200ms"}}]));
    for protocol in Protocol::BOTH {
        for (path, whole) in [("/", TEXT.to_vec()), ("/stream", streamed())] {
            let heard = server.ask(protocol, &Ask::get(path)).await;
            heard.is_served(&whole);
            let (first, rest) = (heard.bytes_at(5), heard.bytes_at(6));
            assert!(rest - heard.asked_at >= 200 * MS, "{protocol:?} {path}");
            assert!(rest - first >= 100 * MS, "{protocol:?} {path}: {heard:?}");
        }
    }
}

pub(crate) async fn body_corrupt(server: &Server) {
    for protocol in Protocol::BOTH {
        server.aim(json!([{"body": {"corrupt": 1.0}}]));
        let heard = server.ask(protocol, &Ask::get("/")).await;
        assert_eq!((heard.end, heard.status()), (End::Whole, 200));
        let body = heard.body();
        assert_eq!(body.len(), TEXT.len(), "{protocol:?}");
        assert!(body.iter().zip(TEXT).all(|(got, sent)| got != sent));

        server.aim(json!([{"body": {"corrupt": 0.01}}]));
        let heard = server.ask(protocol, &Ask::get("/big")).await;
        let changed = heard.body().iter().filter(|byte| **byte != b'b').count();
        assert_eq!(heard.body().len(), BIG);
        // Six standard deviations around a thousand.
        assert!((800..1200).contains(&changed), "{protocol:?}: {changed}");
    }
}

pub(crate) async fn body_first_byte(server: &Server) {
    server.aim(json!([{"body": {"first_byte": "300ms"}}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/stream")).await;
        heard.is_served(&streamed());
        let first = heard.first_byte_at();
        assert!(first - heard.asked_at >= 300 * MS, "{protocol:?}");
        let after_head = first - heard.head().at;
        assert!(after_head >= 100 * MS, "the head came first: {heard:?}");
    }
}

pub(crate) async fn body_chunk(server: &Server) {
    server.aim(json!([{"body": {"chunk": "50ms"}}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/stream")).await;
        heard.is_served(&streamed());
        for piece in 1..=PIECES {
            let at = heard.bytes_at(10 * piece) - heard.asked_at;
            assert!(
                at >= 50 * MS * piece as u32,
                "{protocol:?}: {piece}: {at:?}"
            );
        }
    }
}
