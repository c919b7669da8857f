//! What the random cases have found, as they found it.

use http::Method;

use super::{
    case::{CallIn, Case, Cut, FaultIn, Page, RuleIn, Stack},
    run,
};
use crate::support::peer::Protocol;

async fn is_right(protocol: Protocol, fault: FaultIn, method: Method, page: Page) {
    for stack in [Stack::Axum, Stack::Hyper] {
        let call = CallIn {
            method: method.clone(),
            page,
            body: Vec::new(),
            is_grpc: false,
            expects: false,
            leaves: None,
            is_whole: true,
        };
        let case = Case {
            stack,
            protocol,
            rules: vec![RuleIn::always(vec![fault.clone()])],
            calls: vec![call.clone(), call],
        };
        if let Err(wrong) = run(&case).await {
            panic!("{}\n{wrong}", case.to_json());
        }
    }
}

/// Plain hyper sends what body there is, and clients took the stream for malformed.
#[tokio::test]
async fn a_made_answer_to_head_has_no_body() {
    for protocol in Protocol::BOTH {
        is_right(protocol, FaultIn::Status(503), Method::HEAD, Page::Text).await;
        is_right(protocol, FaultIn::Error("other"), Method::HEAD, Page::Text).await;
    }
}

/// `connection: close` stood in the place of `connection: upgrade`.
#[tokio::test]
async fn goaway_leaves_an_upgrade_alone() {
    let goaway = FaultIn::Abort(Cut::GoAway, None);
    is_right(Protocol::Http1, goaway, Method::GET, Page::Upgrade).await;
}
