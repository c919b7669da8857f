//! Access tokens for the admin ports of the example services.

use std::env;

use chaos_http_admin::{AccessTokens, Admin};

use crate::Error;

/// The environment variable with the access tokens, each in the form `name:role:secret`.
const VARIABLE: &str = "CHAOS_ADMIN_TOKENS";

/// The environment variable with the path of a file of access tokens, which is followed.
const FILE: &str = "CHAOS_ADMIN_TOKENS_FILE";

/// Requires access tokens on the admin port if one of the environment variables is set.
///
/// # Errors
/// Returns an error if both are set, or the list of tokens is not valid.
pub(crate) fn guarded(admin: Admin) -> Result<Admin, Error> {
    match (env::var_os(VARIABLE), env::var_os(FILE)) {
        (None, None) => Ok(admin),
        (Some(_), None) => Ok(admin.access_tokens(AccessTokens::from_env(VARIABLE)?)),
        (None, Some(path)) => Ok(admin.follow_access_tokens(path)?),
        (Some(_), Some(_)) => {
            Err(format!("both {VARIABLE} and {FILE} are set; allowed: one of them").into())
        }
    }
}
