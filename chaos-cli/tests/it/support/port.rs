//! Admin ports in this process, and servers that are none.

use std::{net::SocketAddr, sync::mpsc, thread, time::Duration};

use axum::Router;
use chaos_core::{Injector, Rule, wire};
use chaos_http_admin::{AccessTokens, Admin, Role, Server};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Builder};

/// The tokens of [`Port::with_tokens`].
pub(crate) const OBSERVER: &str = "mlXxLB-1cVWSUkYdOoT4Lg";
pub(crate) const ARMER: &str = "t9gTZpkXcT0uoBPqM3sPrw";

/// A port of an injector of its own.
pub(crate) struct Port {
    pub(crate) injector: Injector,
    pub(crate) url: String,
    _server: Server,
}

impl Port {
    pub(crate) fn new() -> Self {
        Self::of(|admin| admin)
    }

    pub(crate) fn with_tokens() -> Self {
        let tokens = AccessTokens::new()
            .token("grafana", Role::Observe, OBSERVER)
            .and_then(|tokens| tokens.token("ann", Role::Arm, ARMER))
            .unwrap();
        Self::of(|admin| admin.access_tokens(tokens))
    }

    pub(crate) fn of(set: impl FnOnce(Admin) -> Admin) -> Self {
        let injector = Injector::new();
        let admin = set(Admin::new(injector.clone()));
        let server = admin.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let url = format!("http://{}", server.local_addr());
        Self {
            injector,
            url,
            _server: server,
        }
    }

    /// Puts rules in the short form.
    pub(crate) fn put(&self, short: &str, id: &str) {
        let mut rule = wire::rule_to_value(&wire::rules_from_short(short).unwrap()[0]);
        rule["id"] = id.into();
        rule.as_object_mut().unwrap().remove("final");
        self.injector.put(read(rule));
    }

    /// Puts a rule at `db.read` whose time is over.
    pub(crate) fn put_ended(&self, id: &str) {
        let rule =
            json!({ "id": id, "site": "db.read", "ttl": "1ms", "faults": [{ "error": "x" }] });
        self.injector.put(read(rule));
        let is_over = || {
            let counts = self.injector.counts(id);
            counts.and_then(|counts| counts.expires_in) == Some(Duration::ZERO)
        };
        while !is_over() {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let rules = self.injector.rules();
        let ids = rules.rules().iter().map(|rule| rule.id().to_string());
        ids.collect()
    }

    /// The JSON of a rule.
    pub(crate) fn rule(&self, id: &str) -> Value {
        let rules = self.injector.rules();
        wire::rule_to_value(rules.find(id).unwrap())
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.injector.status().state.as_str() == "halted"
    }
}

fn read(rule: Value) -> Rule {
    wire::rule_from_value(rule, None).unwrap()
}

/// Serves a router until the process ends, and returns its address.
pub(crate) fn serve(router: Router) -> String {
    let (send, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    format!("http://{}", address.recv().unwrap())
}

/// The address of a port at which nothing listens.
pub(crate) fn dead() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
