//! Rules on the command line: from arguments, from files, and back to a command.

pub(crate) mod as_command;
pub(crate) mod as_short;
pub(crate) mod difference;
pub(crate) mod file;
pub(crate) mod from_args;
pub(crate) mod guard;
