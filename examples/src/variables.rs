//! The environment variables that the example services read.

/// The end of the help of a service: each variable, and what it does.
pub const HELP: &str = "\
Environment variables:
  CHAOS_ADMIN_TOKENS       Access tokens of the admin port, one `name:role:secret` per line
  CHAOS_ADMIN_TOKENS_FILE  File of access tokens, which is followed, in place of that
  CHAOS_DISABLED           1 disables all injection, and nothing can undo it
  CHAOS_FILE               Rules file to watch for changes
  CHAOS_HALT_FILE          File that is there while injection is halted, also over restarts
  CHAOS_POLICY             Bounds on all rules, in JSON: {\"rate\":0.1,\"max_ttl\":\"1h\"}
  CHAOS_RULES              Rules in the short form: db.read=5%sleep(200)
  CHAOS_SERVICE            Name of the service in the status and the console";
