//! The promises of chaos-tower, a module each.
// Sites that are compiled out are the business of `compiled_out.rs`.
#![cfg(not(feature = "compile-out"))]

mod a_blocked_log_stops_no_guard_rail;
mod a_grpc_timeout_bounds_delays;
mod a_server_runs_in_an_overlay;
mod an_upload_breaks_off;
mod answers_are_marked_or_not;
mod answers_of_rules_are_changed_too;
mod axum_takes_it;
mod bodies_are_damaged_as_asked;
mod clients_see_genuine_errors;
mod connecting_fails;
mod connections_are_cut;
mod connections_obey_rules;
mod every_fault_trips_what_it_should;
mod first_tries_fail_and_the_third_gets_through;
mod guard_rails_trip;
mod keys_of_real_callers;
mod late_ends_trip;
mod one_request_through_three_services;
mod open_connections_obey_rules;
mod outcomes_are_counted;
mod readiness_is_kept;
mod requests_are_written_as_with_reqwest;
mod retry_and_timeout_around_clients;
mod support;
mod surface_accepted;
mod surface_axum;
mod surface_hyper;
mod surface_hyper_client;
mod surface_made;
mod surface_reqwest;
mod surface_tonic_client;
mod surface_tonic_server;
#[cfg(target_os = "linux")]
mod ten_thousand_delayed;
mod the_gone_are_let_go;
mod the_layer_cuts_connections;
mod the_request_span_says_it;
mod tokens_touch_their_request_alone;
mod two_hundred_streams;
#[cfg(target_os = "linux")]
mod unwrapped_connections_are_reset;
mod what_cannot_act_is_not_counted;
#[cfg(target_os = "linux")]
mod what_is_counted_is_seen;
