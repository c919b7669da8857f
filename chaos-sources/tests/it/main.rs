//! The promises of chaos-sources, a module each.

mod a_bad_file_changes_nothing;
mod a_blocked_log_holds_nobody;
mod a_configmap_swap_is_seen;
mod a_file_keeps_to_its_own_rules;
mod a_file_that_keeps_changing_is_followed;
mod a_halt_outlives_a_restart;
mod all_formats_say_the_same;
mod notifications_come_back;
mod other_files_in_the_directory_cost_nothing;
mod support;
mod the_environment_arms_at_start;
mod the_guide_is_right;
