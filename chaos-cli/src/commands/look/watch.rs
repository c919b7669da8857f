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
use serde_json::Value;
use tokio::{
    sync::{Notify, mpsc::UnboundedReceiver},
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
        look::watch::{
            keys::{Key, keys},
            model::Model,
        },
        signals::Signals,
        stop,
    },
    failure::{Exit, Failure},
    fleet::{Fleet, Report, exit_of},
    output::{Output, is_dumb},
};

/// The time between two looks at an endpoint.
const PACE: Duration = Duration::from_millis(500);

/// How long the end waits for the answers to a halt.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// The answer of each endpoint to a halt.
type Halted = Vec<Result<Value, Failure>>;

pub(in crate::commands) async fn run(
    fleet: &Fleet,
    out: &Output,
    args: &WatchArgs,
) -> Result<Report, Failure> {
    let is_dumb = is_dumb();
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
    let shown = tokio::select! {
        shown = show(fleet, &mut terminal, &model, &changed, &mut signals) => shown,
        _ = join_all(polled) => (Ok(Exit::Done), Ok(Vec::new())),
    };
    ratatui::restore();
    let (ended, halted) = shown;
    let mut exit = ended?;
    let halted = halted?;
    for (client, answer) in fleet.clients.iter().zip(&halted) {
        if let Err(failure) = answer {
            out.failure(Some(&client.name()), failure);
        }
    }
    if exit == Exit::Done {
        exit = exit_of(&halted);
    }
    Ok(Report::printed(exit))
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

async fn look(client: &Client) -> Result<(Value, RuleList), Failure> {
    let status = client.get(&["v1", "status"]).await?.with("state")?.body;
    Ok((status, RuleList::read(client).await?))
}

/// Draws what is known, and does what keys ask for, until one or a signal ends it. Returns the answers to a halt that
/// was under way by then, too.
async fn show(
    fleet: &Fleet,
    terminal: &mut DefaultTerminal,
    model: &RefCell<Model>,
    changed: &Notify,
    signals: &mut Signals,
) -> (Result<Exit, Failure>, Result<Halted, Failure>) {
    let mut keys = keys();
    // A service that does not answer to a halt keeps no key from being read.
    let mut halt = pin!(Fuse::terminated());
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| view::draw(frame, &model.borrow())) {
            break Err(broken(&error));
        }
        tokio::select! {
            () = changed.notified() => {}
            answers = &mut halt => {
                let answers: Halted = answers;
                model.borrow_mut().halted(&answers);
            }
            // Ages grow although nothing answers.
            () = sleep(Duration::from_secs(1)) => {}
            key = keys.recv() => match key {
                None | Some(Key::Quit) => break Ok(Exit::Done),
                Some(Key::Halt) if !halt.is_terminated() => {}
                Some(Key::Halt) => {
                    "halting".clone_into(&mut model.borrow_mut().message);
                    halt.set(stop::send_halt(fleet, "pressed in chaosctl watch").fuse());
                }
                Some(key) => model.borrow_mut().press(key),
            },
            code = signals.next() => break Ok(Exit::Other(code)),
        }
    };
    if halt.is_terminated() {
        return (ended, Ok(Vec::new()));
    }
    "halting; q again ends the wait".clone_into(&mut model.borrow_mut().message);
    // A terminal that is gone keeps no halt from being sent.
    let _ = terminal.draw(|frame| view::draw(frame, &model.borrow()));
    let unknown = || no_answer("whether all services are halted is not known");
    let halted = tokio::select! {
        answers = halt => Ok(answers),
        () = quit_again(&mut keys) => Err(unknown()),
        () = sleep(LAST_WAIT) => Err(unknown()),
    };
    (ended, halted)
}

/// Waits until the key that quits is pressed once more; for ever if the terminal is gone.
async fn quit_again(keys: &mut UnboundedReceiver<Key>) {
    while let Some(key) = keys.recv().await {
        if key == Key::Quit {
            return;
        }
    }
    std::future::pending::<()>().await;
}
