//! Picks replicas at random in the hours of a schedule: the pure half, which reads no clock, draws no number of its own
//! and asks no store.
//!
#![doc = include_str!("../docs/picker.md")]

mod calendar;
mod choice;
mod dice;
mod file;
mod pick;
mod probe;
mod schedule;
mod state;
#[cfg(test)]
mod tests;

pub use self::{
    choice::Choice,
    file::picks_from_toml,
    pick::Pick,
    probe::Probe,
    schedule::Next,
    state::{LastPick, Planned, State},
};
