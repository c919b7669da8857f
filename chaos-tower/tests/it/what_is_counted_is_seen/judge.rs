//! Compares what both ends of a call saw with what the model says that they must see.

use std::time::Duration;

use super::{
    flow::{Flow, FlowEnd},
    seen::{HeadSeen, Seen},
    server::Asked,
};
use crate::support::heard::{End, Heard};

/// Nothing takes longer than the model says by more than this, however busy the machine is.
const LATEST: Duration = Duration::from_secs(10);

/// Returns what is wrong with what was seen.
pub(super) fn wrong(seen: &Seen, heard: &Heard, asked: &Asked, expects: bool) -> Option<String> {
    let upload = seen.upload.as_ref();
    if seen.body.is_unknown || upload.is_some_and(|upload| upload.is_unknown) {
        return None;
    }
    let mut wrongs = Vec::new();
    let mut check = |what: &str, is_right: bool| {
        if !is_right {
            wrongs.push(what.to_owned());
        }
    };
    check(
        "calls of the service",
        asked.times == usize::from(seen.is_served),
    );
    if seen.is_served {
        check("x-ask", asked.x_ask == seen.x_ask);
        match (&seen.upload, &asked.body) {
            (None, None) => {}
            (Some(flow), Some((bytes, is_broken))) => {
                check("bytes of the request", are_of(bytes, flow, false));
                let fails = flow.end != FlowEnd::Whole;
                check("end of the request", *is_broken == fails);
            }
            _ => check("the service reads the request", false),
        }
    }
    check("end", ends_so(seen, heard.end));
    match (&seen.head, &heard.head) {
        (None, None) => {}
        (Some(head), Some(_)) => check_head(head, heard, &mut check),
        (Some(_), None) if seen.is_lossy => {}
        _ => check("head", false),
    }
    let bytes = heard.body();
    check(
        "bytes of the answer",
        are_of(&bytes, &seen.body, seen.is_lossy),
    );
    // HTTP/1 has trailers only where they were announced.
    if let Some(trailers) = &heard.trailers {
        let code = trailers
            .get("grpc-status")
            .map(|code| code.to_str().unwrap());
        let expected = seen.body.trailer.map(|code| code.to_string());
        check("grpc-status in trailers", code == expected.as_deref());
    }
    if expects {
        let told = usize::from(seen.is_told_to_go_on);
        check("100 Continue", heard.interims.len() == told);
    }
    let ms = Duration::from_millis;
    let took = heard.took();
    check("not too early", took >= ms(seen.end_after));
    check("not too late", took <= ms(seen.end_after) + LATEST);
    if let Some(head) = &heard.head {
        let took = head.at - heard.asked_at;
        check("head not too early", took >= ms(seen.head_after));
    }
    (!wrongs.is_empty()).then(|| wrongs.join(", "))
}

fn check_head(head: &HeadSeen, heard: &Heard, check: &mut impl FnMut(&str, bool)) {
    check("status", heard.status() == head.status);
    let code = head.grpc_status.map(|code| code.to_string());
    check(
        "grpc-status",
        heard.header("grpc-status") == code.unwrap_or_default(),
    );
    let marks = heard.head().headers.get_all("x-chaos-fault");
    let marks: Vec<_> = marks.iter().map(|mark| mark.to_str().unwrap()).collect();
    check("marks", marks == head.marks);
    let x_set = head.x_set.as_deref().unwrap_or_default();
    check("x-set", heard.header("x-set") == x_set);
    let x_heard = if head.x_heard { "yes" } else { "" };
    check("x-heard", heard.header("x-heard") == x_heard);
    if head.status == 101 {
        check("upgrade", heard.header("connection") == "upgrade");
    }
}

fn ends_so(seen: &Seen, end: End) -> bool {
    let any = |of: &End| matches!((of, end), (End::StreamReset(_), End::StreamReset(_)));
    seen.ends.contains(&end) || seen.any_reason && seen.ends.iter().any(any)
}

fn are_of(bytes: &[u8], flow: &Flow, is_lossy: bool) -> bool {
    let sent = flow.bytes.get(..bytes.len());
    let Some(sent) = sent.filter(|_| is_lossy || bytes.len() == flow.bytes.len()) else {
        return false;
    };
    match flow.changes {
        0 => sent == bytes,
        1 => sent.iter().zip(bytes).all(|(sent, came)| sent != came),
        // What was changed twice may be what it was.
        _ => true,
    }
}
