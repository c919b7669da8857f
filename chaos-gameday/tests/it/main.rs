//! What chaos-gameday promises.

mod experiments_are_read;
mod journals_are_whole;
mod statistics_are_true;
mod verdicts_are_earned;
mod what_is_not_allowed_is_refused;
