//! Access tokens for the admin ports of the example services.

use std::env;

use chaos_http_admin::{AccessTokens, Admin};

use crate::Error;

/// The environment variable with the access tokens, each in the form `name:role:secret`.
const VARIABLE: &str = "CHAOS_ADMIN_TOKENS";

/// Requires access tokens on the admin port if the environment variable is set.
///
/// # Errors
/// Returns an error if its value is not a valid list of tokens.
pub(crate) fn guarded(admin: Admin) -> Result<Admin, Error> {
    Ok(match env::var_os(VARIABLE) {
        Some(_) => admin.access_tokens(AccessTokens::from_env(VARIABLE)?),
        None => admin,
    })
}
