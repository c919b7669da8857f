//! The promises of chaos-http-admin, a module each.

mod a_blocked_log_holds_nobody;
mod a_call_is_explained;
mod a_halt_has_holders;
mod a_hundred_writers_lose_nothing;
mod a_nested_port_is_never_hit;
mod a_patch_does_no_more_than_it_says;
mod a_refusal_can_be_read;
mod a_rule_dies_without_us;
mod a_rule_says_why_it_hits_few;
#[cfg(unix)]
mod a_unix_socket_is_private;
mod access_tokens_are_followed;
mod bad_input_changes_nothing;
#[cfg(target_os = "linux")]
mod certificates_are_followed;
mod changes_are_undone;
mod descriptors_are_left_to_the_service;
mod dry_runs_change_nothing;
mod events_are_told;
mod foreign_pages_stay_out;
#[cfg(unix)]
mod frames_come_each_second;
mod halt_asks_for_nothing;
#[cfg(target_os = "linux")]
mod listeners_cost_little;
mod metrics_agree_with_what_happened;
mod nests_anywhere;
mod no_edit_is_lost;
mod nobody_gets_in;
#[cfg(target_os = "linux")]
mod outcomes_are_shown;
mod probes_and_scrapes_get_in;
mod rules_are_extended;
mod rules_are_shown_as_they_are;
mod secrets_stay_secret;
mod series_stand_at_zero;
mod support;
#[cfg(target_os = "linux")]
mod the_account_is_complete;
mod the_audit_can_be_read;
mod the_audit_file_always_parses;
mod the_audit_file_says_what_was_hit;
mod the_document_says_what_the_port_does;
mod the_facade_carries_them;
mod the_kill_switch_answers;
mod the_kill_switch_is_never_stale;
mod the_log_keeps_secrets;
mod the_log_says_what_changed;
mod the_port_bounds_its_clients;
mod the_port_signs_tokens;
mod the_port_stays_responsive;
mod the_status_says_who_and_since_when;
mod tls_is_tls;
#[cfg(target_os = "linux")]
mod webhooks_are_told;
mod what_is_asked_is_bounded;
mod what_is_hit_can_be_asked;
