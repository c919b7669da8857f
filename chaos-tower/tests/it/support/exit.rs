//! The row of the table where the process ends: a server in a process of its own, which is ended.

use chaos_core::Policy;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{
    app::TEXT,
    ask::Ask,
    heard::End,
    itself::{self, Itself},
    peer::{Peer, Protocol},
    server::{SOON, Server},
};

/// `test` is the name of the test that calls this.
pub(crate) async fn abort_exit(server: &Server, test: &str) {
    if itself::is_server() {
        server.injector.set_policy(Policy::new().allow_exit(true));
        server.aim_at(json!([{"abort": "exit"}]), json!({"path": "/"}));
        itself::say(server.address);
        // Until it is ended, if it is.
        return sleep(2 * SOON).await;
    }
    for protocol in Protocol::BOTH {
        let mut other = Itself::run(test);
        let mut peer = Peer::connect(protocol, other.hear_address().await).await;
        peer.ask(&Ask::get("/slow")).await.is_served(TEXT);
        let heard = peer.ask(&Ask::get("/")).await;
        assert!(heard.head.is_none(), "{protocol:?}: {heard:?}");
        assert!(matches!(heard.end, End::Fin | End::Rst), "{heard:?}");
        let exit = timeout(SOON, other.process.wait()).await.unwrap().unwrap();
        assert_eq!(exit.code(), Some(1), "{protocol:?}");
    }
    // Without such a policy, it is refused on the ways in, and does not happen.
    server.aim(json!([{"abort": "exit"}]));
    let rules = server.injector.rules();
    let rules = rules.rules().iter().map(|rule| &**rule);
    let refused = server.injector.check(rules).unwrap_err();
    assert_eq!(refused.field(), "faults[0].abort");
    for protocol in Protocol::BOTH {
        server.ask(protocol, &Ask::get("/")).await.is_served(TEXT);
    }
}
