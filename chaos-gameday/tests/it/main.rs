//! What chaos-gameday promises.

mod experiments_are_read;
mod what_is_not_allowed_is_refused;
