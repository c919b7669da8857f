//! Whatever happens to etcd and to replicas meanwhile, each replica ends with what a model says is in force there.
//!
//! `CHAOS_FLEET_SEQUENCES` says how many sequences there are; the n-th is always the same.

use std::{collections::BTreeMap, time::Duration};

use chaos_core::wire;
use chaos_fleet::{Controller, Document, Trust};
use etcd_cluster::Cluster;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

use crate::support::{
    fleet::{etcd, name},
    shop::Shop,
    within,
};

/// The changes of a sequence.
const STEPS: usize = 15;
const DOCUMENTS: u32 = 4;
/// Longer than what happens to etcd, so that faults go on.
const HOLD: Duration = Duration::from_secs(30);

/// What a document says in the model.
#[derive(Clone, Debug)]
struct Said {
    /// Each put has another reason.
    reason: String,
    aim: Aimed,
}

#[derive(Clone, Debug)]
enum Aimed {
    All,
    Nobody,
    /// The replicas with these numbers.
    Some(Vec<u32>),
}

impl Said {
    fn is_for(&self, replica: u32) -> bool {
        match &self.aim {
            Aimed::All => true,
            Aimed::Nobody => false,
            Aimed::Some(ids) => ids.contains(&replica),
        }
    }

    fn document(&self, number: u32) -> Document {
        let id = format!("rule-{number}");
        let aim = match &self.aim {
            Aimed::All => json!({ "labels": { "zone": "a" } }),
            Aimed::Nobody => json!({ "labels": { "zone": "b" } }),
            Aimed::Some(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| format!("shop-{id}")).collect();
                json!({ "ids": ids })
            }
        };
        let rule = json!({
            "id": id, "site": "db.read", "reason": self.reason, "faults": [{ "error": "lost" }],
        });
        let document =
            json!({ "name": format!("doc-{number}"), "rules": [rule], "aim": aim, "ttl": "1h" });
        Document::from_value(document).unwrap()
    }
}

struct Sequence {
    dice: Xoshiro256PlusPlus,
    cluster: Cluster,
    controller: Controller,
    replicas: BTreeMap<u32, Shop>,
    /// The number of replicas that there ever were.
    joined: u32,
    model: BTreeMap<u32, Said>,
    steps: Vec<String>,
}

impl Sequence {
    async fn begin(seed: u64) -> Self {
        let cluster = Cluster::start();
        let taken = Controller::take(etcd(&cluster), name("shop"), Trust::Store, "ann", HOLD);
        let mut sequence = Self {
            dice: Xoshiro256PlusPlus::seed_from_u64(seed),
            controller: taken.await.unwrap(),
            cluster,
            replicas: BTreeMap::new(),
            joined: 0,
            model: BTreeMap::new(),
            steps: vec![],
        };
        for _ in 0..3 {
            sequence.join();
        }
        sequence
    }

    fn join(&mut self) {
        let id = format!("shop-{}", self.joined);
        let shop = Shop::with_hold(&self.cluster.endpoints(), &id, HOLD);
        self.replicas.insert(self.joined, shop);
        self.joined += 1;
    }

    async fn step(&mut self, at: usize) {
        let number = self.dice.random_range(0..DOCUMENTS);
        let told = match self.dice.random_range(0..10) {
            0..4 => {
                let aim = match self.dice.random_range(0..5) {
                    0..2 => Aimed::All,
                    2 => Aimed::Nobody,
                    // One that is yet to come may be among them.
                    _ => {
                        let all = 0..self.joined + 2;
                        Aimed::Some(all.filter(|_| self.dice.random_bool(0.5)).collect())
                    }
                };
                let reason = format!("step {at}");
                let said = Said { reason, aim };
                let told = format!("put {number} {:?}", said.aim);
                // It may have been put although it was not answered.
                while let Err(error) = self.controller.put(&said.document(number), None).await {
                    self.steps.push(format!("put {number}: {error}"));
                    assert!(self.steps.len() < 100, "{:#?}", self.steps);
                }
                self.model.insert(number, said);
                told
            }
            4 => {
                let document = name(&format!("doc-{number}"));
                while let Err(error) = self.controller.remove(&document).await {
                    self.steps.push(format!("delete {number}: {error}"));
                    assert!(self.steps.len() < 100, "{:#?}", self.steps);
                }
                self.model.remove(&number);
                format!("delete {number}")
            }
            5 => {
                self.cluster.kill(0);
                // Some of what follows finds no etcd.
                tokio::time::sleep(Duration::from_millis(self.dice.random_range(0..500))).await;
                self.cluster.restart(0);
                "kill".to_owned()
            }
            6 => {
                self.cluster.pause();
                tokio::time::sleep(Duration::from_millis(self.dice.random_range(100..3000))).await;
                self.cluster.go_on();
                "stop".to_owned()
            }
            7 => {
                let put = self.cluster.ctl(&["put", "/other", "x", "-w", "json"]);
                let put: Value = serde_json::from_str(&put).unwrap();
                let revision = put["header"]["revision"].to_string();
                self.cluster.ctl(&["compact", &revision]);
                format!("compact {revision}")
            }
            8 => {
                self.join();
                format!("join {}", self.joined - 1)
            }
            _ if self.replicas.len() > 1 => {
                let nth = self.dice.random_range(0..self.replicas.len());
                let id = *self.replicas.keys().nth(nth).unwrap();
                let Shop { injector, member } = self.replicas.remove(&id).unwrap();
                // One that is killed, and one that says so.
                match self.dice.random_bool(0.5) {
                    true => drop(member.leave().await),
                    false => drop(member),
                }
                assert!(
                    injector.rules().rules().is_empty(),
                    "a replica that has left has rules"
                );
                format!("leave {id}")
            }
            _ => "nothing".to_owned(),
        };
        self.steps.push(told);
    }

    /// Returns the rules that a replica should have, each with its reason.
    fn expected(&self, replica: u32) -> BTreeMap<String, String> {
        let said = self.model.iter().filter(|(_, said)| said.is_for(replica));
        said.map(|(number, said)| (format!("rule-{number}"), said.reason.clone()))
            .collect()
    }

    async fn end(self, seed: u64) {
        let what = format!(
            "as the model says, after sequence {seed}: {:#?}",
            self.steps
        );
        within(Duration::from_secs(30), &what, || {
            let mut replicas = self.replicas.iter();
            replicas.all(|(id, shop)| in_force(shop) == self.expected(*id))
        })
        .await;
        // What was put last is armed with the next beat.
        within(Duration::from_secs(10), &what, || {
            let mut replicas = self.replicas.iter();
            replicas.all(|(id, shop)| shop.is_hit() != self.expected(*id).is_empty())
        })
        .await;
    }
}

fn in_force(shop: &Shop) -> BTreeMap<String, String> {
    let rules = shop.injector.rules();
    let reason = |rule| {
        wire::rule_to_value(rule)["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    rules
        .rules()
        .iter()
        .map(|rule| (rule.id().to_string(), reason(rule)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_sequences() {
    let sequences = std::env::var("CHAOS_FLEET_SEQUENCES").map_or(2, |it| it.parse().unwrap());
    for seed in 0..sequences {
        let mut sequence = Sequence::begin(seed).await;
        for at in 0..STEPS {
            sequence.step(at).await;
        }
        sequence.end(seed).await;
    }
}
