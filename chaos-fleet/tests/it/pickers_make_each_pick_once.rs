//! Several pickers of one file make each pick once, in its hours, and what they inject ends with them. The clock is the
//! test's own, and the etcd a real one.

use std::time::Duration;

use chaos_core::inject;
use chaos_fleet::{
    DocumentEnd, FleetError, Made, Picker, Turn,
    picker::{Choice, Pick, Probe, picks_from_toml},
};
use etcd_cluster::Cluster;
use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};
use serde_json::json;
use tokio::{
    runtime::Runtime,
    time::{sleep, timeout},
};

use crate::support::{
    fleet::{Raw, etcd, leases, name, operator, report, take, trust, within},
    shop::Shop,
    until,
};

const HOLD: Duration = Duration::from_secs(5);

fn pick(fields: &str) -> Pick {
    named("shop", fields)
}

fn named(name: &str, fields: &str) -> Pick {
    let text = format!(
        "[[pick]]\nname = '{name}'\ngroup_by = ['zone']\nfault = 'db.read=error(lost)'\n\
         window = {{ days = 'mon-fri', hours = '09:00-17:00', zone = 'Europe/Berlin' }}\n{fields}"
    );
    picks_from_toml(&text).unwrap().remove(0)
}

fn picker(cluster: &Cluster, by: &str) -> Picker {
    Picker::new(etcd(cluster), name("shop"), trust(), by, HOLD).unwrap()
}

/// A Monday, before the window opens.
fn monday() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

async fn register(raw: &Raw, id: &str) {
    let mut report = report(id, "a", None);
    report["opted_in"] = json!(["error"]);
    raw.put(&format!("replicas/{id}"), report).await;
}

async fn holds(_: &Probe) -> Result<(), String> {
    Ok(())
}

/// Moves the clock to when the pick is made, and returns it.
async fn next(picker: &mut Picker, pick: &Pick, now: &mut Timestamp) -> Made {
    loop {
        match picker.turn(pick, *now, holds).await.unwrap() {
            Turn::Wait(planned) => *now = planned.at,
            Turn::Made(made) => return *made,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn three_pickers_make_one_pick_each_time_in_a_week() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    for id in ["shop-1", "shop-2", "shop-3"] {
        register(&raw, id).await;
    }
    let pick = pick("mean_time_between = '2h'\nmin_time_between = '1h'\nseed = 7");
    let mut pickers: Vec<_> = ["a", "b", "c"].map(|by| picker(&cluster, by)).into();
    let (mut now, end) = (monday(), monday() + SignedDuration::from_hours(24 * 7));
    let (mut made, mut turns) = (Vec::new(), 0);
    while now < end {
        turns += 1;
        if turns % 10 == 0 {
            // One of them is started anew, and remembers nothing by itself.
            let at = turns / 10 % 3;
            std::mem::replace(&mut pickers[at], picker(&cluster, "again"))
                .release()
                .await
                .unwrap();
        }
        let [a, b, c] = &mut pickers[..] else {
            unreachable!()
        };
        let looks = tokio::join!(
            a.turn(&pick, now, holds),
            b.turn(&pick, now, holds),
            c.turn(&pick, now, holds)
        );
        let mut waits = Vec::new();
        for turn in [looks.0, looks.1, looks.2] {
            match turn.unwrap() {
                Turn::Wait(planned) => waits.push(planned.at),
                Turn::Made(one) => made.push(*one),
                // To be asked again.
                Turn::Busy(..) => {}
                other => panic!("{other:?}"),
            }
        }
        if waits.len() == 3 {
            assert!(waits.iter().all(|at| *at == waits[0]), "{waits:?}");
            now = waits[0];
            for picker in &mut pickers {
                picker.ended(now).await.unwrap();
            }
        }
    }

    let zone = TimeZone::get("Europe/Berlin").unwrap();
    for one in &made {
        let local = zone.to_datetime(one.at);
        assert!((9..17).contains(&local.hour()), "{local}");
        let weekend = [Weekday::Saturday, Weekday::Sunday];
        assert!(!weekend.contains(&local.weekday()), "{local}");
        assert!(matches!(&one.put, Ok(Some(_))), "{one:?}");
    }
    for two in made.windows(2) {
        let gap = two[1].at.duration_since(two[0].at);
        assert!(gap >= SignedDuration::from_hours(1), "{gap}");
        assert_eq!(two[1].ordinal, two[0].ordinal + 1);
    }
    // 40 hours are 20 picks in the mean. A month's worth of them would still be random; the seed is not.
    assert!((10..=30).contains(&made.len()), "{} picks", made.len());
    // Each document was put once: the revisions in which it was are those of the picks.
    let puts = raw.puts("orders/rules/pick.shop").await;
    let placed = made.iter().map(|one| one.put.as_ref().unwrap());
    let placed: Vec<_> = placed.map(|it| it.as_ref().unwrap().revision).collect();
    assert_eq!(puts, placed);
}

#[tokio::test]
async fn a_picker_that_starts_again_goes_on() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    register(&raw, "shop-1").await;
    let (pick, mut now) = (pick(""), monday());
    let mut first = picker(&cluster, "first");
    assert_eq!(next(&mut first, &pick, &mut now).await.ordinal, 0);
    let Turn::Wait(planned) = first.turn(&pick, now, holds).await.unwrap() else {
        panic!("two picks at once");
    };
    first.release().await.unwrap();
    assert_eq!(raw.get("orders/rules/pick.shop").await, None);

    let mut second = picker(&cluster, "second");
    let turn = second.turn(&pick, now, holds).await.unwrap();
    assert!(
        matches!(turn, Turn::Wait(same) if same == planned),
        "{turn:?}"
    );
    let made = next(&mut second, &pick, &mut now).await;
    assert_eq!((made.ordinal, made.at), (1, planned.at));
    // Neither is in the way of what shows the fleet.
    let status = operator(&cluster).status().await.unwrap();
    assert!(status.unreadable.is_empty(), "{:?}", status.unreadable);
}

#[tokio::test]
async fn a_halt_and_a_probe_that_does_not_hold_withhold_the_pick() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    register(&raw, "shop-1").await;
    let (pick, mut now) = (pick("probe = 'http://shop/health'"), monday());
    let mut picker = picker(&cluster, "ann");
    let fails = async |probe: &Probe| Err(format!("{probe}, and it is not"));
    if let Turn::Wait(planned) = picker.turn(&pick, now, fails).await.unwrap() {
        now = planned.at;
    }
    let Turn::Made(made) = picker.turn(&pick, now, fails).await.unwrap() else {
        panic!("it is due");
    };
    let reason = "GET http://shop/health is answered with 200, and it is not".to_owned();
    assert_eq!(made.choice, Choice::Withheld { reason });
    assert!(matches!(made.put, Ok(None)) && !picker.is_armed());
    let state = raw.get("picks/shop").await.unwrap();
    assert!(state.contains("and it is not"), "{state}");
    assert!(leases(&cluster).is_empty());

    let operator = operator(&cluster);
    operator.halt("bob", None).await.unwrap();
    let made = next(&mut picker, &pick, &mut now).await;
    let reason = "the fleet is halted by bob".to_owned();
    assert_eq!(made.choice, Choice::Withheld { reason });
    operator.resume().await.unwrap();
    let made = next(&mut picker, &pick, &mut now).await;
    assert!(matches!(made.choice, Choice::Replica { .. }), "{made:?}");
    assert_eq!(raw.puts("orders/rules/pick.shop").await.len(), 1);
}

#[tokio::test]
async fn a_pick_waits_while_somebody_else_holds_the_fleet() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    register(&raw, "shop-1").await;
    let (pick, mut now) = (pick(""), monday());
    let mut picker = picker(&cluster, "ann");
    if let Turn::Wait(planned) = picker.turn(&pick, now, holds).await.unwrap() {
        now = planned.at;
    }
    let bob = take(&cluster, "bob", HOLD).await.unwrap();
    let turn = picker.turn(&pick, now, holds).await.unwrap();
    assert!(
        matches!(&turn, Turn::Busy(planned, holder) if planned.at == now && holder.by == "bob"),
        "{turn:?}"
    );
    let error = picker.at_once(&pick, now, holds).await.unwrap_err();
    assert!(matches!(error, FleetError::Held(_)), "{error}");
    bob.release().await.unwrap();
    now += SignedDuration::from_mins(10);
    assert_eq!(next(&mut picker, &pick, &mut now).await.ordinal, 0);
}

#[tokio::test]
async fn a_replica_that_has_not_opted_in_is_not_picked() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    raw.register(0..1).await;
    let (pick, mut now) = (pick(""), monday());
    let mut picker = picker(&cluster, "ann");
    let made = next(&mut picker, &pick, &mut now).await;
    assert_eq!(made.choice, Choice::Nobody { meant: 1 });
    let made = picker.at_once(&pick, now, holds).await.unwrap();
    assert_eq!(made.choice, Choice::Nobody { meant: 1 });
    assert!(leases(&cluster).is_empty());
}

/// A program that also waits for a signal drops the future of a picker when the signal comes.
#[tokio::test]
async fn what_is_dropped_midway_is_not_forgotten() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    register(&raw, "shop-1").await;
    let picks = ["one", "two", "three"].map(|name| named(name, "ttl = '5m'"));
    let mut picker = picker(&cluster, "ann");
    let now = monday();
    for pick in &picks {
        let made = picker.at_once(pick, now, holds).await.unwrap();
        assert!(matches!(made.put, Ok(Some(_))), "{made:?}");
    }
    // The third goes on, so the others are removed one by one.
    let now = now + SignedDuration::from_mins(5);
    let later = picker.at_once(&picks[2], now, holds).await.unwrap();
    assert!(matches!(later.put, Ok(Some(_))), "{later:?}");
    let dropped = timeout(Duration::ZERO, picker.ended(now)).await;
    assert!(dropped.is_err() && picker.is_armed(), "{dropped:?}");
    let ended = picker.ended(now).await.unwrap();
    let names = ended.iter().map(|end| (&*end.pick, end.end.is_none()));
    assert!(
        names.eq([("one", true), ("two", true)]),
        "each by its time: {ended:?}"
    );
    let is_there = async |pick: &str| {
        let place = format!("orders/rules/pick.{pick}");
        raw.get(&place).await.is_some()
    };
    assert!(!is_there("one").await && !is_there("two").await && is_there("three").await);

    // What may have been put is removed, and what is put anew is not.
    for millis in 0..20 {
        let at_once = picker.at_once(&picks[0], now, holds);
        let dropped = timeout(Duration::from_millis(millis), at_once).await;
        if dropped.is_ok() {
            break;
        }
        assert!(picker.ended(now).await.unwrap().is_empty());
        assert!(!is_there("one").await, "after {millis} ms");
    }
    let made = picker.at_once(&picks[0], now, holds).await.unwrap();
    assert!(matches!(made.put, Ok(Some(_))), "{made:?}");
    assert!(picker.ended(now).await.unwrap().is_empty() && is_there("one").await);
    picker.release().await.unwrap();
    assert!(leases(&cluster).is_empty());
}

#[tokio::test]
async fn what_no_picker_has_written_is_refused_by_its_key() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    raw.put("picks/shop", "{}").await;
    let mut picker = picker(&cluster, "ann");
    let turned = picker.turn(&pick(""), monday(), holds).await;
    let error = turned.unwrap_err().to_string();
    assert!(error.starts_with("picks/shop: missing field"), "{error}");
    assert_eq!(raw.get("picks/shop").await.unwrap(), "{}");
}

/// The real thing: a replica is hit, until the time of the pick is over; and, after the next, until one hold after its
/// picker is gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_picked_ends_in_time_and_with_its_picker() {
    let cluster = Cluster::start();
    let endpoints = cluster.endpoints();
    let shop = Shop::opted_in(&endpoints, "shop-1", "error");
    until("the replica is registered", || shop.is_followed()).await;
    let (pick, mut now) = (pick("leashed = false\nmin_time_between = '1h'"), monday());
    let mut first = picker(&cluster, "first");
    let made = next(&mut first, &pick, &mut now).await;
    let placed = made.put.unwrap().unwrap();
    let answers = first.wait(&placed, HOLD).await.unwrap();
    assert_eq!(answers.applied.len(), 1, "{answers:?}");
    // A replica arms a document that it has applied when it hears the controller's beat.
    until("it is hit", || shop.is_hit()).await;
    assert!(first.ended(now).await.unwrap().is_empty());
    now += SignedDuration::from_mins(10);
    let ended = first.ended(now).await.unwrap();
    assert!(
        matches!(&ended[..], [end] if end.end.is_none()),
        "{ended:?}"
    );
    until("the rule is over", || !shop.is_hit()).await;
    assert!(!first.is_armed() && cluster.ctl(&["get", "/chaos/shop/controller"]).is_empty());

    // What a person removes is told once.
    let made = next(&mut first, &pick, &mut now).await;
    assert_eq!(made.ordinal, 1);
    until("it is hit again", || shop.is_hit()).await;
    operator(&cluster).halt("bob", None).await.unwrap();
    within(HOLD, async || !shop.is_hit()).await;
    // The replica may have seen the halt before the picker.
    let told = async {
        loop {
            let ended = first.ended(now).await.unwrap();
            if !ended.is_empty() {
                break ended;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = timeout(HOLD, told).await.unwrap();
    let is_halt = matches!(&ended[..], [end] if matches!(end.end, Some(DocumentEnd::Halted(_))));
    assert!(is_halt, "{ended:?}");
    operator(&cluster).resume().await.unwrap();
    first.release().await.unwrap();

    // A runtime that ends without a word is a process that is killed.
    let second = picker(&cluster, "second");
    let doomed = std::thread::spawn(move || {
        let (runtime, mut second) = (Runtime::new().unwrap(), second);
        let made = runtime.block_on(next(&mut second, &pick, &mut now));
        (made, second, runtime)
    });
    let (made, second, runtime) = tokio::task::spawn_blocking(move || doomed.join().unwrap())
        .await
        .unwrap();
    assert!(matches!(made.choice, Choice::Replica { .. }), "{made:?}");
    until("it is hit by the second", || shop.is_hit()).await;
    runtime.shutdown_background();
    within(HOLD + Duration::from_millis(1500), async || !shop.is_hit()).await;
    assert!(inject!(injector: &shop.injector, "db.read").is_ok());
    drop(second);
}
