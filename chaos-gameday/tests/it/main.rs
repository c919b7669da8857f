//! What chaos-gameday promises.

mod chaos_toolkit_takes_the_export;
mod experiments_are_read;
mod journals_are_whole;
mod reports_can_be_trusted;
mod runs_are_stopped_rightly;
mod statistics_are_true;
mod support;
mod verdicts_are_earned;
mod what_is_not_allowed_is_refused;
