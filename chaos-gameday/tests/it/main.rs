//! What chaos-gameday promises.

mod experiments_are_read;
mod statistics_are_true;
mod what_is_not_allowed_is_refused;
