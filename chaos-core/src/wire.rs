//! The wire format: rules and policies from JSON and to JSON.
//!
//! A document is read into plain structs that know only its shape, then turned into domain types
//! that know what is allowed. Either step names the field it failed at and what would have been
//! accepted. Nothing else in this crate knows JSON.
//!
//! A field of a document is written once, with what it means and what it accepts: the struct that serde
//! reads, the text of errors and the [`schema`] follow from it.

mod document;
mod fault;
mod form;
mod guard;
mod matcher;
mod policy;
mod read;
mod rule;
mod scalar;
mod schema;
mod shape;
mod short;
mod text;
mod trigger;

pub(crate) use self::policy::bounds_from_json;
#[cfg(feature = "window")]
pub use self::trigger::window::window_from_value;
pub use self::{
    policy::{policy_from_json, policy_to_value},
    rule::{rule_from_json, rule_from_value, rule_to_value, rules_from_json},
    scalar::duration_from_text,
    schema::schema,
    short::rules_from_short,
    text::text_to_value,
    trigger::decisions_to_value,
};
