//! The promises of chaos-core, a module each.
// Sites that are compiled out are the business of `compiled_out.rs`.
#![cfg(not(feature = "compile-out"))]

mod a_print_is_an_event;
mod attribute_makes_a_site;
mod bad_rules_are_refused;
mod bad_tokens_are_refused;
mod budgets_are_exact;
mod chances_are_fair;
mod choices_keep_their_weights;
mod code_means_what_json_means;
mod deadlines_end_rules;
mod errors_are_of_ones_own;
mod errors_are_one_line;
mod every_fault_is_tried;
mod everything_is_written_down;
mod first_tries_fail;
mod framing_headers_stay;
mod guards_take_rules_away;
mod halt_wins;
mod injected_is_recognised;
mod injections_are_told_once;
mod latency_keeps_its_curve;
mod limit_is_exact;
mod naive_twin;
mod no_time_is_no_wait;
mod off_is_off;
mod open_telemetry_shows_injections;
mod overlays_are_private;
mod replays_and_previews_agree;
mod rules_change_with_time;
mod rules_compose;
mod same_key_same_fate;
mod same_seed_same_faults;
mod sites_are_listed;
mod spans_say_what_was_injected;
mod support;
mod surface_code;
mod swap_under_load;
mod tests_are_told_why;
mod the_exempt_are_left_alone;
mod the_policy_holds;
mod the_short_form_means_what_failpoints_mean;
mod the_wire_says_what_is_meant;
mod tokens_carry_rules;
mod warnings_are_true;
mod what_is_kept_is_bounded;
