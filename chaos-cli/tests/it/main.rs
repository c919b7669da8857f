//! The promises of chaosctl, a module each. The real program asks real ports of this process.

#[cfg(feature = "fleet")]
mod a_context_names_a_fleet;
mod a_context_names_endpoints;
mod a_file_is_applied;
#[cfg(feature = "fleet")]
mod a_fleet_is_held;
#[cfg(feature = "fleet")]
mod a_fleet_is_shown;
#[cfg(feature = "fleet")]
mod a_monkey_picks;
mod a_rule_is_made_and_changed;
mod a_trial_ends_by_itself;
mod a_trial_has_many_rules;
mod all_or_none;
#[cfg(feature = "gameday")]
mod an_experiment_ends;
#[cfg(feature = "gameday")]
mod an_experiment_is_refused;
#[cfg(feature = "gameday")]
mod an_experiment_is_run;
#[cfg(all(feature = "fleet", feature = "gameday"))]
mod an_experiment_is_run_on_a_fleet;
#[cfg(feature = "gameday")]
mod an_experiment_is_told;
#[cfg(feature = "gameday")]
mod an_experiment_loses_a_port;
mod completions_and_pages;
mod each_exit_code_is_produced;
#[cfg(all(feature = "watch", target_os = "linux"))]
mod escape_codes_are_for_terminals;
mod examples_of_the_book;
mod halt_goes_everywhere;
mod it_shows_what_there_is;
mod newer_routes;
mod no_edit_is_lost;
mod support;
mod tokens_stay_private;
#[cfg(all(feature = "watch", target_os = "linux"))]
mod watch_is_live;
mod what_answers_is_not_trusted;
mod what_calls_do_is_shown;
