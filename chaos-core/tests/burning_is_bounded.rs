//! What is burnt is burnt once at a time, for its time, and let go by a halt. A program of its own, as
//! memory and processor time are measured on the process.

use std::time::Duration;

use chaos_core::{Clock, Fault, Injector, Policy, Rule, fault::Burn, inject};

const MS: Duration = Duration::from_millis(1);

fn armed(burn: Burn) -> Injector {
    let injector = Injector::new();
    let (id, site) = ("r".parse().unwrap(), "code".parse().unwrap());
    injector.put(Rule::new(id, site, Fault::Burn(burn)));
    injector
}

fn pass(injector: &Injector) {
    inject!(injector: injector, "code").unwrap();
}

#[test]
fn memory_burns_once_at_a_time_and_is_let_go_by_halt() {
    let _serial = alone();
    let minute = Duration::from_secs(60);
    let injector = armed(Burn::memory(64 << 20, minute).unwrap());
    let before = resident();
    pass(&injector);
    pass(&injector);
    wait_until(|| resident() >= before + (60 << 20));
    assert!(resident() < before + (120 << 20), "both calls burn");
    // Under way for as long as it burns.
    assert_eq!(injector.status().active, 1);
    let start = Clock::monotonic();
    injector.halt("that is enough");
    wait_until(|| resident() < before + (30 << 20));
    assert!(start.now() < minute / 2);
    wait_until(|| injector.status().active == 0);
}

/// Twelve rules of a quarter of a GiB each took 2.9 GiB.
#[test]
fn all_rules_together_burn_what_the_policy_says() {
    let minute = Duration::from_secs(60);
    let injector = Injector::new();
    injector.set_policy(Policy::new().burn_memory(64 << 20));
    let rule = |n| {
        let burn = Fault::Burn(Burn::memory(40 << 20, minute).unwrap());
        Rule::new(
            format!("r{n}").parse().unwrap(),
            "code".parse().unwrap(),
            burn,
        )
    };
    let _serial = alone();
    let before = resident();
    injector.replace((0..12).map(rule).collect()).unwrap();
    pass(&injector);
    wait_until(|| resident() >= before + (60 << 20));
    assert!(resident() < before + (100 << 20), "{}", resident() - before);
    // Put again, a rule burns only what is left.
    injector.put(rule(0));
    pass(&injector);
    assert!(resident() < before + (100 << 20), "{}", resident() - before);
    injector.halt("that is enough");
    wait_until(|| resident() < before + (10 << 20) && injector.status().active == 0);
    // What was burnt is there to be burnt again.
    injector.resume();
    let before = resident();
    injector.replace(vec![rule(20), rule(21)]).unwrap();
    pass(&injector);
    wait_until(|| resident() >= before + (60 << 20));
    injector.halt("that is enough");
    wait_until(|| injector.status().active == 0);
}

/// Memory is measured on the process, so one test at a time burns some.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn processors_burn_for_their_time_and_no_longer() {
    let injector = armed(Burn::cpu(0.5, 200 * MS).unwrap());
    let before = processor_time();
    pass(&injector);
    assert_eq!(injector.status().active, 1);
    wait_until(|| injector.status().active == 0);
    assert!(processor_time() - before >= 50 * MS);
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// Time that this process has had a processor for.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    // utime and stime, in hundredths of a second.
    Duration::from_millis(10) * (ticks(11) + ticks(12))
}

fn wait_until(condition: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !condition() {
        assert!(clock.now() < Duration::from_secs(20), "it never happens");
        std::thread::yield_now();
    }
}

#[test]
fn more_than_the_policy_allows_is_refused_and_does_not_happen() {
    for burn in [
        Burn::memory(257 << 20, MS).unwrap(),
        Burn::cpu(0.1, Duration::from_secs(61)).unwrap(),
    ] {
        let injector = armed(burn);
        let rules = injector.rules();
        let error = injector.check(rules.rules().iter().map(|rule| &**rule));
        assert!(error.unwrap_err().field().starts_with("faults[0].burn."));
        pass(&injector);
        assert_eq!(injector.status().injected, 0);
    }
}
