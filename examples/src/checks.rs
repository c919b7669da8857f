//! What a person runs by recipe: each checks the crates from outside, on a running program.

pub mod api;
pub mod attacks;
pub mod commands;
pub mod end_to_end;
pub mod gameday;
pub mod peers;
pub mod storm;
