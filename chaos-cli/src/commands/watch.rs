//! `watch`: state and rules live, on the whole screen.
//!
//! Each endpoint is asked on its own, so one that hangs delays neither the others nor the keys.

mod keys;
mod model;
mod view;

use std::{
    cell::RefCell,
    io::{self, IsTerminal},
    time::Duration,
};

use futures_util::future::join_all;
use ratatui::DefaultTerminal;
use tokio::{sync::Notify, time::sleep};

use crate::{
    args::look::WatchArgs,
    client::{Client, rule_list::RuleList},
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
    let polled = polled.map(|(at, client)| poll(client, at, &model, &changed));
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
    loop {
        let drawn = terminal.draw(|frame| view::draw(frame, &model.borrow()));
        drawn.map_err(|error| broken(&error))?;
        tokio::select! {
            () = changed.notified() => {}
            // Ages grow although nothing answers.
            () = sleep(Duration::from_secs(1)) => {}
            key = keys.recv() => match key {
                None | Some(Key::Quit) => return Ok(Exit::Done),
                Some(Key::Halt) => {
                    let answers = stop::send_halt(fleet, "pressed in chaosctl watch").await;
                    model.borrow_mut().halted(&answers);
                }
                Some(key) => model.borrow_mut().press(key),
            },
        }
    }
}
