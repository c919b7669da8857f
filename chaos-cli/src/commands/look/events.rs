//! `events`: what happens, as it happens.

use std::time::Duration;

use chaos_core::OneLine;
use reqwest::header::HeaderName;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    args::look::EventsArgs,
    client::{
        Client,
        answer::text,
        event_stream::{Event, EventStream},
        request::Request,
    },
    commands::look::audit,
    failure::Failure,
    fleet::{Fleet, Report, exit_of, refusal},
    output::Output,
};

/// The time between two streams, so that a service which ends each at once is not asked without a pause.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints events until standard output is closed, or a service is gone.
pub(in crate::commands) async fn run(fleet: &Fleet, out: &Output, args: &EventsArgs) -> Report {
    let several = fleet.clients.len() > 1;
    let ended = fleet
        .ask(async |client: &Client| {
            let ended = follow(client, out, args, several).await;
            if let Err(failure) = &ended {
                out.failure(Some(&client.name()), failure);
                out.json(&refusal(&client.name(), failure));
            }
            ended
        })
        .await;
    Report::printed(exit_of(&ended))
}

async fn follow(
    client: &Client,
    out: &Output,
    args: &EventsArgs,
    several: bool,
) -> Result<(), Failure> {
    let mut last: Option<String> = None;
    loop {
        // A stream ends after some minutes; the next one goes on where it ended.
        let mut request = Request::get(&["v1", "events"]);
        if let Some(last) = &last {
            request = request.header(HeaderName::from_static("last-event-id"), last.as_str());
        }
        let mut stream = EventStream::open(client, request).await?;
        while let Some(event) = stream.next().await? {
            last = event.id.clone().or(last);
            if !(args.no_injections && event.name == "injection") {
                print(client, out, &event, several);
            }
            if out.is_closed() {
                return Ok(());
            }
        }
        sleep(PAUSE).await;
    }
}

fn print(client: &Client, out: &Output, event: &Event, several: bool) {
    let data = event.json();
    if out.is_json() {
        out.json(&json!({ "endpoint": client.name(), "event": event.name, "data": data }));
        return;
    }
    let line = match event.name.as_str() {
        "start" => return,
        "injection" => format!(
            "injection  {}  {} at {}  {}",
            text(&data, "rule"),
            text(&data, "fault"),
            text(&data, "site"),
            text(&data, "path"),
        ),
        "dropped" => format!("dropped  {data}"),
        name => format!(
            "{name}  {}  by {}  {}",
            audit::what(&data),
            text(&data, "actor"),
            text(&data, "reason"),
        ),
    };
    let time = text(&data, "at").split('T').nth(1).unwrap_or_default();
    match several {
        true => out.text(format_args!(
            "{}  {time}  {}",
            client.name(),
            OneLine(line.trim())
        )),
        false => out.text(format_args!("{time}  {}", OneLine(line.trim()))),
    }
}
