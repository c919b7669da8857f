//! The log says when a webhook or the audit file begins to fail, and when it no longer does, once each;
//! and nothing of an address but its host.

use std::{thread, time::Duration};

use chaos_core::{Clock, Injector};
use chaos_http_admin::{Admin, AuditFile, Webhook};

use crate::support::{alone::is_alone, log::Log};

#[test]
fn a_change_for_the_worse_is_logged_once_and_without_secrets() {
    // What is logged by threads of our own is seen by a subscriber of the whole process alone.
    if !is_alone("the_log_keeps_secrets::a_change_for_the_worse_is_logged_once_and_without_secrets")
    {
        return;
    }
    let log = Log::of_the_process();
    let injector = Injector::new();
    let url = "http://user:password@127.0.0.1:1/services/token?key=value";
    let hook = Webhook::slack(url).unwrap().signed_with("hush");
    let admin = Admin::new(injector.clone()).webhook(hook.within(Duration::from_millis(100)));
    let file = cfg!(target_os = "linux").then(|| AuditFile::open(&injector, "/dev/full").unwrap());
    for _ in 0..3 {
        injector.halt("x");
        injector.resume();
    }
    let clock = Clock::monotonic();
    let is_done = || {
        let log = log.0.lock().unwrap();
        let file_failed = file.as_ref().is_none_or(|file| file.status().failed > 1);
        log.contains("messages to a webhook fail") && file_failed
    };
    while !is_done() {
        assert!(
            clock.now() < Duration::from_secs(20),
            "{}",
            log.0.lock().unwrap()
        );
        thread::park_timeout(Duration::from_millis(5));
    }
    thread::park_timeout(Duration::from_millis(500));
    drop((admin, file));
    let log = log.said();
    assert_eq!(
        log.matches("messages to a webhook fail").count(),
        1,
        "{log}"
    );
    if cfg!(target_os = "linux") {
        assert_eq!(
            log.matches("the audit file cannot be written").count(),
            1,
            "{log}"
        );
        assert!(log.contains("/dev/full"), "{log}");
    }
    assert!(log.contains("http://127.0.0.1:1"), "{log}");
    for secret in ["user:", "password", "token", "key=", "hush"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
