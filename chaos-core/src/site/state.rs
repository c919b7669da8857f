//! `SiteState`: what a site says of its rules in one word, which is all that an idle call reads.

use http::Method;

use crate::{
    decision::site_rules::Reads,
    matcher::compiled,
    site::snapshot::{self, FirstLook, SLOTS},
};

/// Nothing aims here.
pub(super) const IDLE: usize = 0;
/// No call has passed yet: the first pass takes the cold path once. It registers a site in code, and at
/// a layer it asks the call for its peer.
pub(super) const NEW: usize = 1;
/// Rules aim here, and have to be asked themselves.
pub(super) const ARMED: usize = 2;
/// Rules aim here, and the first of them hits each call.
pub(super) const EACH_HIT: usize = 3;
/// One rule aims here, which hits each call and may spare it: it has a limit, or only counts.
pub(super) const EACH_SPARED: usize = 4;

/// The first number of rules that snapshots are kept of. Such a number is never used twice.
pub(super) const FIRST: usize = SLOTS;
/// The first number of rules that read the method or the path of calls. Those below read other facts.
const FIRST_BY_PATH: usize = FIRST_UNREAD >> 1;
/// The first number of rules none of which reads the facts of calls.
const FIRST_UNREAD: usize = !(usize::MAX >> 1);

/// The state of a site as one call has seen it. A call looks at snapshots under one state: a second one, of other
/// rules, would count the call again.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SiteState(pub(super) usize);

impl SiteState {
    /// The state of a site that is compiled out.
    pub const COMPILED_OUT: Self = Self(IDLE);

    /// Returns where the numbers begin of rules that read these facts of calls.
    pub(super) fn first(reads: Reads) -> usize {
        match reads {
            Reads::Nothing => FIRST_UNREAD,
            Reads::MethodOrPath => FIRST_BY_PATH,
            Reads::Others => 0,
        }
    }

    /// Returns how many numbers of a slot there are for rules that read the same facts.
    pub(super) const NUMBERS: usize = FIRST_BY_PATH / SLOTS;

    /// Returns whether what a thread has kept of the rules may settle a call without its facts.
    #[inline(always)]
    #[must_use]
    pub fn is_settled_unread(self) -> bool {
        !crate::COMPILED_OUT && self.0 >= FIRST_UNREAD
    }

    /// Returns whether what a thread has kept of the rules may settle a call by its method and its path. The state is not
    /// [settled without facts](Self::is_settled_unread).
    #[inline(always)]
    #[must_use]
    pub fn is_settled_by_path(self) -> bool {
        !crate::COMPILED_OUT && self.0 >= FIRST_BY_PATH
    }

    /// Returns whether what a thread has kept of the rules may settle a call by other facts.
    #[inline(always)]
    pub(super) fn is_settled_by_others(self) -> bool {
        (FIRST..FIRST_BY_PATH).contains(&self.0)
    }

    /// Returns whether the only rule hits each call and may spare it. [`Site::spares_each`](crate::Site::spares_each) tells.
    #[inline(always)]
    #[must_use]
    pub fn may_spare_each(self) -> bool {
        self.0 == EACH_SPARED
    }

    /// Settles a call by what this thread has kept of rules that do not read it.
    ///
    /// It takes nothing of the request, so that an integration can ask before it moves the request.
    #[inline(always)]
    #[must_use]
    pub fn look(self) -> FirstLook {
        snapshot::look(self.0)
    }

    /// Settles an HTTP request by its method and its path and what this thread has kept of the rules, if that is
    /// enough to leave the call alone.
    ///
    /// Nothing of the request's own memory is lent for that to a function that is not inlined, so that an integration
    /// need not move the request to ask.
    #[inline(always)]
    #[must_use]
    pub fn look_by(self, method: &Method, path: &str) -> FirstLook {
        snapshot::look_by(self.0, compiled::bit(Some(method)), path)
    }
}
