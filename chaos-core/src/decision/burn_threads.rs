//! Burning processors and memory, on threads of their own, for a time.

use std::{hint::black_box, thread, time::Duration};

use crate::{clock::Clock, decision::active_call::ActiveCall, fault::burn::Burn};

/// Starts to burn, unless the rule burns already. It ends when its time is up or the rule is over.
pub(crate) fn start(burn: Burn, active_call: &ActiveCall) {
    if !active_call.begin_burn() {
        return;
    }
    let memory = active_call.reserve_memory(burn.memory);
    if memory < burn.memory {
        tracing::warn!(target: "chaos", memory, "the policy leaves less memory to burn than the rule asks for");
    }
    let burning = Burning {
        active_call: active_call.clone(),
        memory,
    };
    let burn = Burn { memory, ..burn };
    let begun = thread::Builder::new()
        .name("chaos-burn".into())
        .spawn(move || run(burn, &burning.active_call));
    if let Err(error) = begun {
        tracing::warn!(target: "chaos", %error, "cannot start a thread to burn with");
    }
}

/// Lets the rule burn again, and others burn its memory, when it is dropped.
struct Burning {
    active_call: ActiveCall,
    memory: u64,
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.active_call.release_memory(self.memory);
        self.active_call.end_burn();
    }
}

fn run(burn: Burn, active_call: &ActiveCall) {
    let memory = take(burn.memory);
    if burn.cpu > 0.0 {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 1..processors {
                let spin = || spin(burn, active_call);
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, spin) {
                    tracing::warn!(target: "chaos", %error, "burning with one thread less");
                }
            }
            spin(burn, active_call);
        });
    } else {
        active_call.wait_blocking(burn.time);
    }
    drop(black_box(memory));
}

/// Allocates and touches memory. Allocates nothing if there is not enough.
fn take(bytes: u64) -> Vec<u8> {
    let mut memory = Vec::new();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    match memory.try_reserve_exact(bytes) {
        // Every byte, so that each page is really there.
        Ok(()) => memory.resize(bytes, 1),
        Err(error) => tracing::warn!(target: "chaos", %error, "cannot allocate the memory to burn"),
    }
    memory
}

/// Keeps a processor busy for its share of each slice, and waits for the rest of it.
fn spin(burn: Burn, active_call: &ActiveCall) {
    const SLICE: Duration = Duration::from_millis(20);
    // The real clock: one that a test moves by hand would never end the slice.
    let clock = Clock::monotonic();
    let busy = SLICE.mul_f64(burn.cpu);
    while clock.now() < burn.time && !active_call.is_over() {
        let start = clock.now();
        // Checked all the time, because a halt must not wait for the end of the slice.
        while clock.now() - start < busy && !active_call.is_over() {
            for turn in 0..1_000_u32 {
                black_box(turn);
            }
        }
        active_call.wait_blocking(SLICE - busy);
    }
}
