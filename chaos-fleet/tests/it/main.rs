//! The crate against a real etcd.

mod a_controller_holds_a_fleet;
mod a_document_arms_replicas;
mod documents_reach_whom_they_are_meant_for;
#[cfg(feature = "tls")]
mod etcd_has_tls_and_users;
mod etcd_is_busy_or_slow;
mod etcd_is_not_usable;
mod faults_end_without_anybody;
#[cfg(feature = "picker")]
mod pickers_make_each_pick_once;
#[cfg(feature = "picker")]
mod random_sequences_end_as_a_model_says;
mod support;
mod what_holds_for_all_together;
mod what_is_bad_is_refused;
