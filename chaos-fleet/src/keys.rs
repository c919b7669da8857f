//! Where things lie in etcd: the keys of one fleet.
//!
//! | key under `/chaos/<fleet>/` | value | lives as long as |
//! |---|---|---|
//! | `orders/rules/<document>` | a signed document | the lease of its controller; by hand alone with `leash: never` |
//! | `orders/stops/<document>/<replica>` | why a replica stops the document everywhere | until the document is put or removed |
//! | `limits/<document>/<life>` | how many injections of the document's limit are given out | until a document of this name is put anew, or removed |
//! | `replicas/<replica>` | what a replica is and what it has done: its report | the lease of the replica |
//! | `orders/halt` | who has halted the fleet, and why | until the fleet is resumed |
//! | `orders/beat` | a number that changes while the controller lives | the lease of the controller |
//! | `picks/<pick>` | what pickers remember of a pick, and when the next is due | until somebody deletes it |
//! | `controller` | who holds the fleet | the lease of the controller |
//!
//! Each replica follows `orders/`, and nothing else: a thousand replicas that read each other's reports would be a million
//! messages. They have to read and write `limits/` and `replicas/` as well, and to write `orders/stops/`.

use crate::name::Name;

/// The keys of one fleet.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

/// What a key is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Key {
    Document(Name),
    Stop {
        document: Name,
        replica: Name,
    },
    Replica(Name),
    Halt,
    Controller,
    Beat,
    /// A counter of given-out injections: it is read when it is used, and never followed.
    Limit,
    /// The state of a pick: pickers read and replace it, and nobody follows it.
    Pick,
    /// None of the layout.
    Foreign,
}

impl Keys {
    pub(crate) fn of(fleet: &Name) -> Self {
        Self {
            prefix: format!("/chaos/{fleet}/"),
        }
    }

    /// Returns what all keys of the fleet begin with.
    pub(crate) fn all(&self) -> &str {
        &self.prefix
    }

    /// Returns what all keys begin with that replicas follow.
    pub(crate) fn orders(&self) -> String {
        self.under("orders/")
    }

    pub(crate) fn document(&self, document: &Name) -> String {
        self.under(&format!("orders/rules/{document}"))
    }

    /// Returns what the stops of a document begin with.
    pub(crate) fn stops(&self, document: &Name) -> String {
        self.under(&format!("orders/stops/{document}/"))
    }

    pub(crate) fn stop(&self, document: &Name, replica: &Name) -> String {
        self.under(&format!("orders/stops/{document}/{replica}"))
    }

    /// Returns the counter of a document's limit. Each life of the document, from the revision of its key's creation,
    /// has one of its own.
    pub(crate) fn limit(&self, document: &Name, life: i64) -> String {
        self.under(&format!("limits/{document}/{life}"))
    }

    /// Returns what the counters of a document's limit begin with.
    pub(crate) fn limits(&self, document: &Name) -> String {
        self.under(&format!("limits/{document}/"))
    }

    #[cfg(feature = "picker")]
    pub(crate) fn pick(&self, pick: &Name) -> String {
        self.under(&format!("picks/{pick}"))
    }

    pub(crate) fn replicas(&self) -> String {
        self.under("replicas/")
    }

    pub(crate) fn replica(&self, replica: &Name) -> String {
        self.under(&format!("replicas/{replica}"))
    }

    pub(crate) fn halt(&self) -> String {
        self.under("orders/halt")
    }

    pub(crate) fn controller(&self) -> String {
        self.under("controller")
    }

    pub(crate) fn beat(&self) -> String {
        self.under("orders/beat")
    }

    fn under(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    /// Reads a key.
    pub(crate) fn parse(&self, key: &[u8]) -> Key {
        let rest = std::str::from_utf8(key).ok();
        let rest = rest.and_then(|key| key.strip_prefix(&self.prefix));
        let parts: Vec<_> = rest.into_iter().flat_map(|rest| rest.split('/')).collect();
        let name = |name: &str| name.parse::<Name>().ok();
        let key = match parts[..] {
            ["orders", "rules", document] => name(document).map(Key::Document),
            ["orders", "stops", document, replica] => name(document)
                .zip(name(replica))
                .map(|(document, replica)| Key::Stop { document, replica }),
            ["limits", document, life] => name(document)
                .and_then(|_| life.parse::<i64>().ok())
                .map(|_| Key::Limit),
            ["picks", pick] => name(pick).map(|_| Key::Pick),
            ["replicas", replica] => name(replica).map(Key::Replica),
            ["orders", "halt"] => Some(Key::Halt),
            ["controller"] => Some(Key::Controller),
            ["orders", "beat"] => Some(Key::Beat),
            _ => None,
        };
        key.unwrap_or(Key::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let name = |name: &str| name.parse::<Name>().unwrap();
        let keys = Keys::of(&name("shop"));
        let (lost, one) = (name("lost"), name("one"));
        let stop = Key::Stop {
            document: lost.clone(),
            replica: one.clone(),
        };
        for (written, expected) in [
            (keys.document(&lost), Key::Document(lost.clone())),
            (keys.stop(&lost, &one), stop),
            (keys.limit(&lost, 7), Key::Limit),
            ("/chaos/shop/picks/lost".to_owned(), Key::Pick),
            (keys.replica(&one), Key::Replica(one.clone())),
            (keys.halt(), Key::Halt),
            (keys.controller(), Key::Controller),
            (keys.beat(), Key::Beat),
        ] {
            assert_eq!(keys.parse(written.as_bytes()), expected);
        }
        for followed in [
            keys.document(&lost),
            keys.stop(&lost, &one),
            keys.halt(),
            keys.beat(),
        ] {
            assert!(followed.starts_with(&keys.orders()), "{followed}");
        }
        assert!(!keys.replica(&one).starts_with(&keys.orders()));
        assert!(keys.stop(&lost, &one).starts_with(&keys.stops(&lost)));
        assert!(keys.replica(&one).starts_with(&keys.replicas()));
    }

    #[test]
    fn a_key_outside_the_layout_is_foreign() {
        let keys = Keys::of(&"shop".parse().unwrap());
        for key in [
            "/chaos/shop/",
            "/chaos/shop/orders/rules/",
            "/chaos/shop/orders/rules/a/b",
            "/chaos/shop/orders/rules/ä",
            "/chaos/shop/orders/stops/a",
            "/chaos/shop/rules/a",
            "/chaos/shop/limits/a/b",
            "/chaos/shop/other",
            "/chaos/shops/orders/halt",
            "halt",
        ] {
            assert_eq!(keys.parse(key.as_bytes()), Key::Foreign, "{key}");
        }
        assert_eq!(keys.parse(&[0xff]), Key::Foreign);
    }
}
