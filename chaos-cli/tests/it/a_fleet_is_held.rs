//! `fleet apply` holds a fleet, and what it has put ends with it. Real processes, and a real etcd.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    sync::Arc,
    time::Duration,
};

use chaos_core::Clock;
use serde_json::{Value, json};

use crate::support::{
    etcd::{Answering, Etcd},
    program::{Ran, chaosctl, command, kill},
    wait::until,
};

/// A fleet with a replica that applies the document `lost` of a file.
struct Fleet {
    etcd: Arc<Etcd>,
    file: String,
    key: String,
    _one: Answering,
}

impl Fleet {
    fn start(fields: Value) -> Self {
        let etcd = Arc::new(Etcd::start());
        let file = etcd.file("lost.json", &document(fields).to_string());
        let key = etcd.file("key", "32 bytes or more, and only you know\n");
        let applied = json!({ "outcome": "applied" });
        let _one = Answering::start(&etcd, "shop-1", "a", applied);
        Self {
            etcd,
            file,
            key,
            _one,
        }
    }

    fn arguments<'a>(&'a self, rest: &[&'a str], fleet: &'a str) -> Vec<&'a str> {
        let base = [
            "fleet",
            "--fleet",
            fleet,
            "--key-file",
            &self.key,
            "--by",
            "ann",
        ];
        [&base, rest].concat()
    }

    fn run(&self, rest: &[&str]) -> Ran {
        let fleet = self.etcd.fleet();
        chaosctl(&self.arguments(rest, &fleet))
    }

    /// Applies, and returns when the fleet is held.
    fn apply(&self, rest: &[&str]) -> Applying {
        let fleet = self.etcd.fleet();
        let rest = [&["apply", "-f", &self.file, "--wait", "20s"], rest].concat();
        let mut command = command(&self.arguments(&rest, &fleet));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = vec![];
        let is_held = lines.any(|line| {
            seen.push(line.unwrap());
            seen.last().unwrap().starts_with("held for ")
        });
        assert!(is_held, "{seen:?}");
        let rest = std::thread::spawn(|| lines.map_while(Result::ok).collect());
        Applying {
            child,
            stderr: rest,
        }
    }

    fn is_there(&self) -> bool {
        self.etcd.revision("orders/rules/lost").is_some()
    }

    fn lease(&self) -> String {
        let leases = self.etcd.ctl(&["lease", "list"]);
        leases.lines().nth(1).unwrap().to_owned()
    }
}

struct Applying {
    child: Child,
    stderr: std::thread::JoinHandle<Vec<String>>,
}

impl Applying {
    #[track_caller]
    fn ends_with(self, code: i32, told: &str) -> String {
        let Self { mut child, stderr } = self;
        let clock = Clock::monotonic();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::park_timeout(Duration::from_millis(20)),
            }
            assert!(clock.now() < Duration::from_secs(30), "it goes on");
        };
        let mut printed = String::new();
        child.stdout.unwrap().read_to_string(&mut printed).unwrap();
        printed += &stderr.join().unwrap().join("\n");
        assert_eq!(status.code(), Some(code), "{printed}");
        assert!(printed.contains(told), "{printed}");
        printed
    }
}

fn document(fields: Value) -> Value {
    let mut document = json!({
        "name": "lost",
        "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
        "ttl": "10m",
    });
    let Value::Object(fields) = fields else {
        panic!("{fields}")
    };
    document.as_object_mut().unwrap().extend(fields);
    document
}

#[test]
fn it_is_taken_back_with_each_signal() {
    let fleet = Fleet::start(json!({}));
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let applying = fleet.apply(&[]);
        assert!(fleet.is_there());
        kill(&applying.child, signal);
        applying.ends_with(code, "taken back after ");
        assert!(!fleet.is_there(), "{signal}");
    }
}

#[test]
fn it_ends_when_its_time_is_over() {
    let fleet = Fleet::start(json!({ "ttl": "2s" }));
    fleet.apply(&[]).ends_with(0, "taken back after 2 s");
    assert!(!fleet.is_there());
}

#[test]
fn it_ends_with_the_lease_of_a_process_that_is_killed() {
    let fleet = Fleet::start(json!({}));
    let mut applying = fleet.apply(&["--hold", "5s"]);
    kill(&applying.child, "-KILL");
    applying.child.wait().unwrap();
    let took = until("it is gone", || !fleet.is_there());
    assert!(took < Duration::from_millis(6500), "{took:?}");
}

#[test]
fn it_ends_when_somebody_else_ends_it() {
    let fleet = Fleet::start(json!({}));
    let applying = fleet.apply(&[]);
    let status = fleet.run(&["status"]).expect(0).stdout;
    assert!(
        status.contains("ends in 10:00") || status.contains("ends in 9:5"),
        "{status}"
    );
    // One at a time.
    let second = fleet.run(&["apply", "-f", &fleet.file]).expect(5);
    assert!(
        second.stderr.contains("held by ann, since 20"),
        "{second:?}"
    );
    fleet.run(&["rm", "lost"]).expect(0);
    applying.ends_with(5, "taken away by somebody else");
    fleet.run(&["rm", "lost"]).expect(1);

    let applying = fleet.apply(&[]);
    let halted = fleet.run(&["halt", "that", "is", "enough"]).expect(0);
    assert_eq!(halted.stdout, "demo  halted\n");
    let printed = applying.ends_with(5, "halted by ann after ");
    assert!(printed.contains(" s: that is enough\n"), "{printed}");
    assert!(!fleet.is_there());
    let refused = fleet.run(&["apply", "-f", &fleet.file]).expect(5);
    assert!(refused.stderr.contains("halted by ann"), "{refused:?}");
    assert!(
        fleet
            .run(&["status"])
            .expect(0)
            .stdout
            .contains("that is enough")
    );
    assert_eq!(fleet.run(&["resume"]).expect(0).stdout, "demo  resumed\n");
    assert_eq!(
        fleet.run(&["resume"]).expect(0).stdout,
        "demo  was not halted\n"
    );

    let applying = fleet.apply(&[]);
    fleet.etcd.ctl(&["lease", "revoke", &fleet.lease()]);
    applying.ends_with(1, "the lease was lost");
}

#[test]
fn it_ends_when_a_guard_rail_breaks_at_a_replica() {
    let fleet = Fleet::start(json!({}));
    let applying = fleet.apply(&[]);
    let revision = fleet.etcd.revision("orders/rules/lost");
    let stop = json!({ "revision": revision, "reason": "errors at 40 %" });
    fleet.etcd.put("orders/stops/lost/shop-1", &stop);
    let printed = applying.ends_with(7, "stopped by shop-1 after ");
    assert!(printed.contains(" s: errors at 40 %\n"), "{printed}");
    assert!(!fleet.is_there());
    let status = fleet.run(&["status"]).expect(0).stdout;
    assert!(status.contains("by shop-1: errors at 40 %"), "{status}");
}

#[test]
fn it_names_who_has_not_applied_it() {
    let fleet = Fleet::start(json!({ "ttl": "6s" }));
    fleet.etcd.register("shop-2", "a");
    let refusal = json!({
        "outcome": "refused",
        "field": "rules[0].faults[0]",
        "problem": "the policy forbids it",
        "allowed": "latency",
    });
    let _three = Answering::start(&fleet.etcd, "shop-3", "b", refusal);
    let apply = ["apply", "-f", &fleet.file, "--wait", "3s"];
    let ran = fleet.run(&apply).expect(1);
    assert!(ran.stdout.contains("applied by 1 of 3"), "{ran:?}");
    for line in [
        "shop-2: has not answered",
        "shop-3: rules[0].faults[0]: the policy forbids it; allowed: latency",
        "2 replicas have not applied it",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {ran:?}");
    }
    assert!(!fleet.is_there());
    let ran = fleet.run(&[&["--json"], &apply[..]].concat()).expect(1);
    let json = &ran.json()[0];
    assert_eq!(json["error"]["kind"], "refused");
    assert_eq!(json["answers"]["silent"], json!(["shop-2"]));
    assert_eq!(json["answers"]["refused"]["shop-3"]["allowed"], "latency");
    assert_eq!(json["ended"], "taken back");
    // It goes on if that is said, and the code says that it was not everywhere.
    let ran = fleet.run(&[&apply[..], &["--partial"]].concat()).expect(6);
    assert!(ran.stdout.contains("taken back after 6 s"), "{ran:?}");
    assert!(ran.stderr.contains("held for 6s"), "{ran:?}");
    // A document whose time is over before that counts as little.
    let apply = ["apply", "-f", &fleet.file, "--wait", "1m"];
    let ran = fleet.run(&apply).expect(1);
    assert!(ran.stderr.contains("shop-2: has not answered"), "{ran:?}");
}

#[test]
fn without_a_leash_it_stays() {
    let fleet = Fleet::start(json!({ "leash": "never" }));
    let ran = fleet
        .run(&["--json", "apply", "-f", &fleet.file, "--wait", "20s"])
        .expect(0);
    assert_eq!(ran.json()[0]["answers"]["applied"], json!({ "shop-1": [] }));
    assert!(fleet.is_there());
    fleet.etcd.register("shop-2", "a");
    let apply = ["apply", "-f", &fleet.file, "--wait", "1s"];
    fleet.run(&[&apply[..], &["--partial"]].concat()).expect(6);
    assert!(fleet.is_there());
    fleet.run(&apply).expect(1);
    assert!(!fleet.is_there());
}

/// Nobody can say whether replicas go on, so the code says that it is not known to have ended everywhere.
#[test]
fn it_ends_in_time_when_etcd_does_not_answer() {
    let fleet = Fleet::start(json!({}));
    let applying = fleet.apply(&["--hold", "5s", "--timeout", "1s"]);
    fleet.etcd.0.pause();
    let clock = Clock::monotonic();
    applying.ends_with(6, "for 5s at most");
    assert!(clock.now() < Duration::from_secs(12), "{:?}", clock.now());
    let clock = Clock::monotonic();
    let ran = fleet
        .run(&["--timeout", "1s", "apply", "-f", &fleet.file])
        .expect(3);
    assert!(ran.stderr.contains("does not answer"), "{ran:?}");
    assert!(clock.now() < Duration::from_secs(6), "{:?}", clock.now());
    fleet.etcd.0.go_on();
}
