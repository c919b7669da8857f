//! The row of the table where something is done to the bytes of a request, as the service behind reads
//! them, and tells.

use std::time::Duration;

use h2::Reason;
use serde_json::{Value, json};

use crate::support::{
    ask::Ask,
    heard::{End, Heard},
    peer::Protocol,
    server::Server,
};

const MS: Duration = Duration::from_millis(1);

/// A body of 10 000 bytes in so many pieces.
fn upload(pieces: usize) -> Ask {
    Ask::post("/echo", vec![vec![b'a'; 10_000 / pieces]; pieces])
}

async fn ask(server: &Server, protocol: Protocol, pieces: usize, deed: Value) -> Heard {
    server.aim(json!([{"body": deed, "on": "request"}]));
    let heard = server.ask(protocol, &upload(pieces)).await;
    assert_eq!(heard.end, End::Whole, "{protocol:?}: {heard:?}");
    assert_eq!(heard.header("x-chaos-fault"), "", "the answer is its own");
    heard
}

pub(crate) async fn request_body(server: &Server) {
    for protocol in Protocol::BOTH {
        // With a length, and without one.
        for pieces in [1, 2] {
            let slow = [
                (json!({"throttle": "50kB/s"}), 200 * MS),
                (json!({"stall_after": "5B", "for": "200ms"}), 200 * MS),
                (json!({"first_byte": "200ms"}), 200 * MS),
                (json!({"chunk": "100ms"}), 100 * MS * pieces as u32),
            ];
            for (deed, least) in slow {
                let heard = ask(server, protocol, pieces, deed.clone()).await;
                assert_eq!(heard.text(), "10000 0", "{protocol:?}: {deed}");
                let took = heard.took();
                assert!(took >= least, "{protocol:?}: {deed} took {took:?}");
            }

            let heard = ask(server, protocol, pieces, json!({"corrupt": 1.0})).await;
            assert_eq!(heard.text(), "10000 10000");

            // It fails where it is read, as one whose client has gone.
            let heard = ask(server, protocol, pieces, json!({"truncate_after": "1kB"})).await;
            let cut_short = "body cut short (injected at http.server by rule r)";
            assert_eq!(heard.status(), 400, "{protocol:?}: {heard:?}");
            assert!(heard.text().contains(cut_short), "{}", heard.text());
        }
    }
}

/// The client sees the end of its connection or its stream, and not what the handler makes of it.
pub(crate) async fn abort_on_request(server: &Server) {
    let reset = End::StreamReset(Reason::INTERNAL_ERROR);
    for protocol in Protocol::BOTH {
        for pieces in [1, 2] {
            let ask = Ask::post("/echo", vec![vec![b'a'; 2_000 / pieces]; pieces]);
            server.aim(json!([{"abort": "close", "after": "1500B", "on": "request"}]));
            let heard = server.ask(protocol, &ask).await;
            heard.is_nothing_but(protocol.either(End::Fin, reset));
            // All of it passes.
            server.aim(json!([{"abort": "close", "after": "3kB", "on": "request"}]));
            let heard = server.ask(protocol, &ask).await;
            assert_eq!((heard.status(), &*heard.text()), (200, "2000 0"));
        }
    }
    server.aim(json!([{"abort": {"h2": "cancel"}, "after": "5B", "on": "request"}]));
    let heard = server.ask(Protocol::Http2, &upload(2)).await;
    heard.is_nothing_but(End::StreamReset(Reason::CANCEL));
}
