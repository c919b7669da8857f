//! Which stripe of a striped count a thread adds to.
//!
//! A count that every call adds to is striped: each thread adds to a cache line of its own, and readers sum the
//! stripes.

use std::{
    cell::Cell,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// The number of stripes of each count.
static COUNT: LazyLock<usize> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(8, usize::from);
    (2 * threads).clamp(8, 64)
});

const NONE: usize = usize::MAX;

thread_local! {
    /// The index of the stripe that this thread adds to.
    static STRIPE: Cell<usize> = const { Cell::new(NONE) };
}

/// Returns the number of stripes of each count.
pub(crate) fn count() -> usize {
    *COUNT
}

/// Returns the index of this thread's stripe. Indices are handed out in turn, so that threads share a stripe
/// only when there are more threads than stripes.
#[inline]
pub(crate) fn index() -> usize {
    match STRIPE.get() {
        NONE => take_index(),
        index => index,
    }
}

/// Gives this thread the index of its stripe.
#[cold]
#[inline(never)]
fn take_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    STRIPE.set(NEXT.fetch_add(1, Relaxed) % *COUNT);
    STRIPE.get()
}

/// Returns the index of this thread's stripe, or one beyond all stripes if the thread has none yet.
#[inline(always)]
pub(crate) fn index_at_once() -> usize {
    STRIPE.get()
}
