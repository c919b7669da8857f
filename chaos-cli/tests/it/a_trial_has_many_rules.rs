//! `try` with many rules at a service that takes its time: they are extended and deleted several at a time.

use std::{
    path::Path,
    process::Stdio,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use axum::{
    extract::Request,
    http::Method,
    middleware::{Next, from_fn},
};
use chaos_http_admin::Admin;

use crate::{
    a_trial_ends_by_itself::wait,
    support::{
        port::{Port, serve},
        program::{chaosctl, command, kill},
    },
};

const RULES: usize = 40;

/// The port of an injector that takes its time to extend and to delete a rule, and tells of each deletion.
fn slow(port: &Port) -> (String, Receiver<()>) {
    let (sender, deletions) = channel();
    let router = Admin::new(port.injector.clone()).router();
    let layer = from_fn(move |request: Request, next: Next| {
        let sender = sender.clone();
        async move {
            let is_deletion = request.method() == Method::DELETE;
            if is_deletion {
                sender.send(()).unwrap();
            }
            if is_deletion || request.uri().path().ends_with("/extend") {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            next.run(request).await
        }
    });
    (serve(router.layer(layer)), deletions)
}

fn file(folder: &Path) -> String {
    let file = folder.join("rules.json");
    let rule = |at| format!(r#"{{"id":"r{at}","site":"db.read","faults":[{{"error":"x"}}]}}"#);
    let rules: Vec<_> = (0..RULES).map(rule).collect();
    std::fs::write(&file, format!("[{}]", rules.join(","))).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A second signal comes meanwhile, as of a terminal that is closed.
#[test]
fn all_are_deleted_although_signals_come() {
    let (port, folder) = (Port::new(), tempfile::tempdir().unwrap());
    let (url, deletions) = slow(&port);
    let file = file(folder.path());
    let mut child = command(&["-e", &url, "try", "-f", &file, "--for", "1h"]);
    let mut child = child.stderr(Stdio::null()).spawn().unwrap();
    wait(&port, true);
    while port.ids().len() < RULES {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    kill(&child, "-HUP");
    deletions.recv().unwrap();
    kill(&child, "-HUP");
    kill(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert!(port.ids().is_empty(), "{:?}", port.ids());
}

/// In turn, the extensions would take longer than the lease.
#[test]
fn all_are_extended_before_the_lease_ends() {
    let (port, folder) = (Port::new(), tempfile::tempdir().unwrap());
    let (url, _deletions) = slow(&port);
    let file = file(folder.path());
    let asked = ["-e", &url, "try", "-f", &file, "--for", "1h"];
    let lease = ["--lease", "6s", "--", "sleep", "9"];
    chaosctl(&[&asked[..], &lease].concat()).expect(0);
    assert!(port.ids().is_empty(), "{:?}", port.ids());
}
