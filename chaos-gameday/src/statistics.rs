//! How calls that a rule hits fare against those that it spares: differences with their intervals, and a test that may be
//! looked at at any time.
//!
//! A rule draws for each call that it matches, so the calls that it spares are a randomised control group: same process, same
//! time, same load.

mod difference;
mod e_process;
mod group;
mod key_groups;
mod quantile;

pub use self::{
    difference::{Difference, Finding, Method, error_ratio_difference, quantile_difference},
    e_process::EProcess,
    group::Group,
    key_groups::{KeyGroup, design_effect, error_ratio_difference_by_keys},
    quantile::Quantile,
};
