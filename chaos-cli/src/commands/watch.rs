//! `watch`: state and rules live, on the whole screen.
//!
//! Each endpoint is asked on its own, so one that hangs delays neither the others nor the keys.

mod keys;
mod model;
mod view;

use std::{
    cell::RefCell,
    io::{self, IsTerminal},
    pin::pin,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Fuse, FusedFuture, join_all},
};
use ratatui::DefaultTerminal;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    args::look::WatchArgs,
    client::{
        Client,
        live::{self, Live},
        no_answer,
        rule_list::RuleList,
    },
    commands::{
        signals::Signals,
        stop,
        watch::{
            keys::{Key, keys},
            model::Model,
        },
    },
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
};

/// The time between two looks at an endpoint.
const PACE: Duration = Duration::from_millis(500);

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &WatchArgs) -> Result<Report, Failure> {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if out.is_json() || is_dumb || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let failure = Failure::usage("there is no terminal to show it on");
        return Err(failure.at("watch", "a terminal with a cursor, without --json"));
    }
    let names = fleet.clients.iter().map(Client::name);
    let model = RefCell::new(Model::new(names, args.sites.clone()));
    let changed = Notify::new();
    let mut signals = Signals::new()?;
    let mut terminal = ratatui::try_init().map_err(|error| broken(&error))?;
    let polled = fleet.clients.iter().enumerate();
    let polled = polled.map(async |(at, client)| {
        let (model, changed) = (&model, &changed);
        tokio::join!(
            poll(client, at, model, changed),
            follow(client, at, model, changed)
        )
    });
    let ended = tokio::select! {
        ended = show(fleet, &mut terminal, &model, &changed) => ended,
        _ = join_all(polled) => Ok(Exit::Done),
        code = signals.next() => Ok(Exit::Other(code)),
    };
    ratatui::restore();
    Ok(Report::printed(ended?))
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("the terminal cannot be used: {error}"),
    )
}

/// Asks an endpoint again and again.
async fn poll(client: &Client, at: usize, model: &RefCell<Model>, changed: &Notify) {
    loop {
        let seen = look(client).await;
        model.borrow_mut().take(at, seen);
        changed.notify_one();
        sleep(PACE).await;
    }
}

/// Follows the live frames of an endpoint, of the sites that the rules aim at now.
async fn follow(client: &Client, at: usize, model: &RefCell<Model>, changed: &Notify) {
    loop {
        // A port without them is asked again now and then: it may have been replaced.
        let pause = match frames(client, at, model, changed).await {
            Ok(()) => PACE,
            Err(_) => {
                // They would be taken for those of now.
                model.borrow_mut().forget_latencies(at);
                changed.notify_one();
                PACE * 4
            }
        };
        sleep(pause).await;
    }
}

async fn frames(
    client: &Client,
    at: usize,
    model: &RefCell<Model>,
    changed: &Notify,
) -> Result<(), Failure> {
    let (aims, rules, named) = {
        let model = model.borrow();
        (model.aims(at), model.rules(at), model.sites.clone())
    };
    let sites = match named.is_empty() {
        false => named,
        true => live::sites_that_matter(client, &rules).await?,
    };
    let mut live = Live::watch(client, &sites).await?;
    // Other rules may aim at other sites.
    while model.borrow().aims(at) == aims {
        // Frames come each second.
        let next = timeout(PACE * 20, live.next()).await;
        let next = next.unwrap_or_else(|_| Err(no_answer("there are no frames")));
        let Some(frame) = next? else {
            break;
        };
        model.borrow_mut().live(at, &frame);
        changed.notify_one();
    }
    Ok(())
}

async fn look(client: &Client) -> Result<(serde_json::Value, RuleList), Failure> {
    let status = client.get(&["v1", "status"]).await?.with("state")?.body;
    Ok((status, RuleList::read(client).await?))
}

/// Draws what is known, and does what keys ask for, until one ends it.
async fn show(
    fleet: &Fleet,
    terminal: &mut DefaultTerminal,
    model: &RefCell<Model>,
    changed: &Notify,
) -> Result<Exit, Failure> {
    let mut keys = keys();
    // A service that does not answer to a halt keeps no key from being read.
    let mut halt = pin!(Fuse::terminated());
    loop {
        let drawn = terminal.draw(|frame| view::draw(frame, &model.borrow()));
        drawn.map_err(|error| broken(&error))?;
        tokio::select! {
            () = changed.notified() => {}
            answers = &mut halt => {
                let answers: Vec<_> = answers;
                model.borrow_mut().halted(&answers);
            }
            // Ages grow although nothing answers.
            () = sleep(Duration::from_secs(1)) => {}
            key = keys.recv() => match key {
                None | Some(Key::Quit) => return Ok(Exit::Done),
                Some(Key::Halt) if !halt.is_terminated() => {}
                Some(Key::Halt) => {
                    "halting".clone_into(&mut model.borrow_mut().message);
                    halt.set(stop::send_halt(fleet, "pressed in chaosctl watch").fuse());
                }
                Some(key) => model.borrow_mut().press(key),
            },
        }
    }
}
