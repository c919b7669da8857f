//! Who may use the admin ports of the services here.

use std::env;

use chaos_http_admin::{AccessTokens, Admin};

use crate::Error;

/// Where the access tokens stand, `name:role:secret` each.
const VARIABLE: &str = "CHAOS_ADMIN_TOKENS";

/// Asks for access tokens, if the environment has any.
pub(crate) fn guarded(admin: Admin) -> Result<Admin, Error> {
    Ok(match env::var_os(VARIABLE) {
        // As text, which a program that ends with it prints on one line.
        Some(_) => admin
            .access_tokens(AccessTokens::from_env(VARIABLE).map_err(|error| error.to_string())?),
        None => admin,
    })
}
