//! What the environment of the process sets, for all of its injectors, when it is first read.
//!
//! `CHAOS_DISABLED` wins over everything. `CHAOS_POLICY` is a policy in JSON, which holds besides any
//! that the code sets.

use std::{env, ffi::OsStr, sync::LazyLock};

use crate::{audit::actor::Actor, policy::Policy};

/// Disables all injection for as long as the process lives, unless its value is empty, `0`, `false`,
/// `no` or `off`.
const DISABLED: &str = "CHAOS_DISABLED";
const POLICY: &str = "CHAOS_POLICY";
/// The name of the service.
const SERVICE: &str = "CHAOS_SERVICE";

struct Environment {
    policy: Policy,
    /// Why injection is disabled, if it is.
    disabled: Option<String>,
    service: String,
}

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let disabled = env::var_os(DISABLED).filter(|value| says_yes(value));
    let disabled = disabled.map(|_| format!("{DISABLED} is set"));
    let (policy, problem) = match env::var_os(POLICY) {
        None => (Policy::allowing_all(), None),
        Some(text) => match read(&text) {
            Ok(policy) => (policy, None),
            // A policy that cannot be parsed must not become no policy.
            Err(problem) => (Policy::allowing_all(), Some(format!("{POLICY}: {problem}"))),
        },
    };
    let disabled = disabled.or(problem);
    if let Some(reason) = &disabled {
        tracing::warn!(target: "chaos", reason, "fault injection is disabled");
    }
    Environment {
        policy,
        disabled,
        service: read_service(),
    }
});

/// Returns the name of the service, or else that of the program.
pub(crate) fn service() -> &'static str {
    &ENVIRONMENT.service
}

fn read_service() -> String {
    let said = env::var_os(SERVICE).map(|name| name.to_string_lossy().trim().to_owned());
    let said = said.filter(|name| !name.is_empty());
    said.unwrap_or_else(|| {
        let program = env::current_exe().ok();
        let stem = program.as_deref().and_then(|program| program.file_stem());
        stem.map_or_else(
            || "unnamed".to_owned(),
            |stem| stem.to_string_lossy().into(),
        )
    })
}

/// Returns the bounds that hold whatever the code sets.
pub(crate) fn policy() -> Policy {
    ENVIRONMENT.policy.clone()
}

/// Returns the actor whose reason says why injection is disabled, if it is.
pub(crate) fn disabled() -> Option<Actor> {
    let reason = ENVIRONMENT.disabled.as_ref()?;
    Some(Actor::new("environment").because(reason))
}

fn says_yes(value: &OsStr) -> bool {
    let value = value.to_string_lossy().trim().to_ascii_lowercase();
    !["", "0", "false", "no", "off"].contains(&&*value)
}

#[cfg(feature = "serde")]
fn read(text: &OsStr) -> Result<Policy, String> {
    let policy = crate::wire::bounds_from_json(text.as_encoded_bytes());
    policy.map_err(|error| error.to_string())
}

#[cfg(not(feature = "serde"))]
fn read(_: &OsStr) -> Result<Policy, String> {
    Err("it needs the feature `serde` of chaos-core".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_no_is_a_no() {
        for no in ["", " ", "0", "false", "FALSE", "no", "off", " 0 "] {
            assert!(!says_yes(OsStr::new(no)), "{no:?}");
        }
        for yes in ["1", "true", "yes", "on", "2", "disabled", "nope"] {
            assert!(says_yes(OsStr::new(yes)), "{yes:?}");
        }
    }
}
