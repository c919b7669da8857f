//! What the example programs do, seen from outside: a module for each promise.

mod a_breach_is_told;
mod a_halt_outlives_a_restart;
mod a_middleware_answers;
mod a_webhook_speaks_tls;
#[cfg(target_os = "linux")]
mod audit_on_a_full_disk;
#[cfg(unix)]
mod audit_survives_kill;
mod client_hides_what_it_can;
mod faults_become_honest_answers;
mod greeter_serves;
mod grpc_faults_are_genuine;
mod guard_rails_trip;
mod halt_wins;
mod limit_is_exact;
mod rate_is_kept;
mod rules_come_from_files;
mod shop_serves;
mod sites_are_listed;
mod small_programs_run;
mod status_rule_hits_its_path;
mod stops_gracefully;
mod the_proxy_forwards_faults;
mod the_shop_asks_for_tokens;
mod the_start_says_what_is_needed;
mod ttl_ends_by_itself;
