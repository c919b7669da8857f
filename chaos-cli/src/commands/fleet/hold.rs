//! Holds the fleet for a document, until it is over.

use std::time::Duration;

use chaos_core::Clock;
use chaos_fleet::{Answers, Controller, Document, FleetError, Placed, Trust};
use tokio::time::sleep;

use crate::{
    args::fleet::FleetApplyArgs,
    commands::{
        fleet::{
            apply::{fields, not_all, tell, tell_put},
            ending::ApplyEnding,
            failed, report,
        },
        signals::Signals,
    },
    config::etcd::Target,
    failure::{Exit, Failure},
    fleet::Report,
    output::{Output, time},
};

pub(super) async fn run(
    target: &Target,
    out: &Output,
    args: &FleetApplyArgs,
    document: &Document,
    trust: Trust,
    mut signals: Signals,
) -> Result<Report, Failure> {
    let (etcd, fleet) = (target.etcd.clone(), target.fleet.clone());
    let controller = Controller::take(etcd, fleet, trust, &target.by, *args.hold).await;
    let controller = controller.map_err(failed)?;
    let placed = match controller.put(document, args.reason.as_deref()).await {
        Ok(placed) => placed,
        Err(error) => return Err(not_put(controller, &error, *args.hold).await),
    };
    let clock = Clock::monotonic();
    tell_put(out, &placed);
    let (answers, ending) = hold(
        &controller,
        out,
        args,
        &placed,
        document.ttl(),
        &mut signals,
    )
    .await;
    let released = controller.release().await;
    let mut exit = ending.exit();
    let mut fields = fields(&placed, answers.as_ref());
    if let Some(answers) = &answers
        && !answers.all_applied()
    {
        let failure = not_all(answers);
        if matches!(ending, ApplyEnding::NotAll) {
            out.failure(None, &failure);
        }
        fields["error"] = failure.to_json();
        if exit == Exit::Done {
            exit = Exit::NotEverywhere;
        }
    }
    let age = time::length(clock.now().as_secs_f64());
    fields["ended"] = ending.told().into();
    fields["ended_because"] = ending.reason().into();
    match released {
        Ok(()) => match ending.reason() {
            Some(reason) => out.text(format_args!("{} after {age}: {reason}", ending.told())),
            None => out.text(format_args!("{} after {age}", ending.told())),
        },
        Err(error) => {
            let failure = not_released(&error, *args.hold);
            out.failure(None, &failure);
            fields["error"] = failure.to_json();
            exit = failure.exit;
        }
    }
    Ok(report(target, exit, fields))
}

/// Waits until replicas have applied the document, and then until it is over.
async fn hold(
    controller: &Controller,
    out: &Output,
    args: &FleetApplyArgs,
    placed: &Placed,
    ttl: Duration,
    signals: &mut Signals,
) -> (Option<Answers>, ApplyEnding) {
    let time = sleep(ttl);
    let over = async {
        tokio::select! {
            biased;
            code = signals.next() => ApplyEnding::Signal(code),
            end = controller.over(placed) => ApplyEnding::Fleet(end),
            () = time => ApplyEnding::Over,
        }
    };
    tokio::pin!(over);
    let answers = tokio::select! {
        biased;
        ending = &mut over => {
            let answers = match ending {
                // Its time is over before that of the replicas: what they have answered by now counts.
                ApplyEnding::Over => controller.wait(placed, Duration::ZERO).await.ok(),
                _ => None,
            };
            let Some(answers) = answers else { return (None, ending) };
            tell(out, &answers);
            let is_fine = answers.all_applied() || args.partial;
            return (Some(answers), if is_fine { ending } else { ApplyEnding::NotAll });
        }
        // A document that is gone is over, which says why.
        Ok(answers) = controller.wait(placed, *args.wait) => answers,
    };
    tell(out, &answers);
    if !answers.all_applied() && !args.partial {
        return (Some(answers), ApplyEnding::NotAll);
    }
    out.note(format_args!(
        "held for {}; Ctrl-C takes it back",
        humantime::format_duration(ttl)
    ));
    let ending = over.await;
    (Some(answers), ending)
}

/// Returns the failure of a document that was not put, or not for sure.
async fn not_put(controller: Controller, error: &FleetError, hold: Duration) -> Failure {
    match (error, controller.release().await) {
        (FleetError::Store(_), Err(error)) => not_released(&error, hold),
        (error, _) => Failure::of_fleet(error),
    }
}

/// Returns the failure of a document that nobody has taken back.
fn not_released(error: &FleetError, hold: Duration) -> Failure {
    let Failure { detail, .. } = Failure::of_fleet(error);
    let hold = humantime::format_duration(hold);
    let detail =
        format!("the document may be in force at some replicas, for {hold} at most: {detail}");
    Failure::new(Exit::NotEverywhere, detail)
}
