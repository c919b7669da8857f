//! `LookedUp`: the sites that a thread has looked up by name, for macros with an explicit injector.
//!
//! Looking a site up hashes its name twice and compares it. A macro passes the same site of the same injector again
//! and again, so each thread keeps the last result of each macro, in a table of a fixed size.

use std::{cell::Cell, ptr};

use crate::{injector::Injector, site::Site};

/// A site that was looked up.
#[derive(Clone, Copy)]
struct LookedUp {
    /// The site that the macro declares: its address stands for its name and its kind.
    declared: &'static Site,
    /// The [id](Injector::id) of the injector, which no other injector has.
    injector: u64,
    /// The site of that injector. It lives as long as the process, even if the injector is dropped.
    site: &'static Site,
}

/// How many results a thread keeps. Each takes 24 bytes.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 5;

thread_local! {
    /// It has no destructor, so it can be used until the thread ends.
    static SLOT: [Cell<Option<LookedUp>>; SLOTS] = const { [const { Cell::new(None) }; SLOTS] };
}

/// Returns the site of `injector` that has the name and the kind of `declared`.
#[inline]
pub(super) fn site_in(injector: &Injector, declared: &'static Site) -> &'static Site {
    let id = injector.id();
    SLOT.with(|slots| {
        let slot = &slots[slot_of(declared, id)];
        match slot.get() {
            Some(known) if known.injector == id && ptr::eq(known.declared, declared) => known.site,
            _ => look_up(injector, declared, slot),
        }
    })
}

/// Returns the slot of a macro and an injector: the upper bits of a product, which depend on all bits of both.
fn slot_of(declared: &'static Site, injector: u64) -> usize {
    let address = ptr::from_ref(declared).addr() as u64;
    let mixed = (address ^ injector.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - SLOT_BITS)) as usize
}

#[cold]
#[inline(never)]
fn look_up(
    injector: &Injector,
    declared: &'static Site,
    slot: &Cell<Option<LookedUp>>,
) -> &'static Site {
    let (file, line) = (declared.file(), declared.line());
    let (name, kind, labels) = (declared.name(), declared.kind(), declared.labels());
    let site = injector.site_at(name, kind, file, line, labels);
    slot.set(Some(LookedUp {
        declared,
        injector: injector.id(),
        site,
    }));
    site
}
