//! What each command does.

mod again;
mod apply;
mod arm;
mod child;
#[cfg(feature = "gameday")]
mod experiment;
mod extend;
#[cfg(feature = "fleet")]
mod fleet;
mod ids;
mod look;
#[cfg(feature = "fleet")]
mod monkey;
mod own;
mod preview;
#[cfg(feature = "gameday")]
mod run;
mod signals;
mod stop;
mod token;
mod trial;
mod undo;

use crate::{
    args::{Cli, Command},
    config,
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

/// Runs a command.
pub(crate) async fn run(cli: Cli, out: &Output) -> Result<Report, Failure> {
    let Cli { globals, command } = cli;
    // What asks no endpoint.
    if out.is_json()
        && let Command::Completion(_) | Command::Man(_) | Command::Help(_) = &command
    {
        let failure = Failure::usage("the command prints text alone");
        return Err(failure.at("--json", "no --json"));
    }
    match &command {
        Command::Context(args) => return own::context::run(&globals, args, out),
        Command::Completion(args) => return Ok(own::completion::run(args, out)),
        Command::Man(args) => return own::pages::man(args, out),
        Command::Help(args) => return own::help::run(args, out),
        Command::Version => return Ok(own::pages::version(out)),
        #[cfg(feature = "fleet")]
        Command::Fleet(args) => return fleet::run(&globals, args, out).await,
        #[cfg(feature = "gameday")]
        Command::Run(args) => return run::run(&globals, out, args).await,
        #[cfg(feature = "gameday")]
        Command::Experiment(args) => return experiment::run(&globals, out, args).await,
        #[cfg(feature = "fleet")]
        Command::Monkey(args) => return monkey::run(&globals, args, out).await,
        Command::Arm(args) => {
            if let Some(format) = args.output {
                return arm::print(args, format, out);
            }
        }
        _ => {}
    }
    let fleet = config::fleet(&globals)?;
    fleet.check(matches!(command, Command::Halt(_)))?;
    match command {
        Command::Status(args) => Ok(look::status::run(&fleet, out, &args).await),
        Command::Rules(args) => {
            let look = async || Ok(look::rules::run(&fleet, out, &args).await);
            again::again(args.watch, out, look).await
        }
        Command::Ids => Ok(look::rules::ids(&fleet, out).await),
        Command::Show(args) => {
            let look = async || look::show::run(&fleet, out, &args).await;
            again::again(args.watch, out, look).await
        }
        Command::Sites(args) => Ok(look::sites::run(&fleet, out, &args).await),
        Command::Explain(args) => look::explain::run(&fleet, out, &args).await,
        Command::Why(args) => look::why::run(&fleet, out, &args).await,
        Command::Audit(args) => Ok(look::audit::run(&fleet, out, &args).await),
        Command::Events(args) => Ok(look::events::run(&fleet, out, &args).await),
        #[cfg(feature = "watch")]
        Command::Watch(args) => look::watch::run(&fleet, out, &args).await,
        Command::Arm(args) => arm::run(&fleet, out, &args).await,
        Command::Apply(args) => apply::run(&fleet, out, &args).await,
        Command::Try(args) => trial::run(&fleet, out, &args).await,
        Command::Preview(args) => preview::run(&fleet, out, &args).await,
        Command::Token(args) => token::run(&fleet, out, &args).await,
        Command::On(args) => ids::switch(&fleet, out, &args, true).await,
        Command::Off(args) => ids::switch(&fleet, out, &args, false).await,
        Command::Rm(args) => ids::remove(&fleet, out, &args).await,
        Command::Extend(args) => extend::run(&fleet, out, &args).await,
        Command::Release(args) => Ok(extend::release(&fleet, out, &args).await),
        Command::Undo(args) => undo::run(&fleet, out, &args).await,
        Command::Halt(args) => Ok(stop::halt(&fleet, out, &args).await),
        Command::Resume(args) => stop::resume(&fleet, out, &args).await,
        Command::Ack(args) => Ok(stop::acknowledge(&fleet, out, &args).await),
        #[cfg(feature = "fleet")]
        Command::Fleet(_) | Command::Monkey(_) => Ok(Report::printed(Exit::Done)),
        #[cfg(feature = "gameday")]
        Command::Run(_) | Command::Experiment(_) => Ok(Report::printed(Exit::Done)),
        Command::Context(_)
        | Command::Completion(_)
        | Command::Man(_)
        | Command::Help(_)
        | Command::Version => Ok(Report::printed(Exit::Done)),
    }
}
