//! The rules that aim at one site, in order, and how a call is asked about by all of them.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use crate::{
    armed::{Armed, Verdict},
    call::Call,
    firing::Firing,
    lots::Hit,
    observer::Hub,
    surface::SiteKind,
};

/// Where a call is: the site's name and kind.
pub(crate) type Here = (&'static str, SiteKind);

/// The rules that aim at one site, in order.
#[derive(Clone, Debug)]
pub(crate) struct SiteRules {
    pub(crate) hub: Arc<Hub>,
    pub(crate) rules: Arc<[Arc<Armed>]>,
    /// Whether overlays aim here, too: their rules come first.
    pub(crate) overlaid: bool,
    /// When the last of them expires; `None` if one never does.
    last_deadline: Option<Duration>,
}

impl SiteRules {
    /// `None` if there are no rules.
    pub(crate) fn of(hub: &Arc<Hub>, rules: Vec<Arc<Armed>>, overlaid: bool) -> Option<Self> {
        if rules.is_empty() && !overlaid {
            return None;
        }
        let deadlines = rules.iter().map(|rule| rule.arming.deadline);
        Some(Self {
            hub: Arc::clone(hub),
            last_deadline: deadlines
                .max_by_key(|at| at.unwrap_or(Duration::MAX))
                .flatten(),
            rules: rules.into(),
            overlaid,
        })
    }

    /// The same rules, with or without overlays; `None` if that leaves nothing.
    pub(crate) fn overlaid(&self, overlaid: bool) -> Option<Self> {
        let is_empty = self.rules.is_empty() && !overlaid;
        (!is_empty).then(|| Self {
            overlaid,
            ..self.clone()
        })
    }

    /// Whether the rules have to be asked otherwise than one by one.
    #[inline(always)]
    pub(crate) fn are_layered(&self) -> bool {
        self.overlaid
    }

    /// Whether none of them can act any more.
    pub(crate) fn are_over(&self) -> bool {
        let now = self.hub.clock.now();
        !self.overlaid && self.last_deadline.is_some_and(|last| now >= last)
    }

    pub(crate) fn are_the_same(&self, other: &Self) -> bool {
        self.overlaid == other.overlaid
            && self.rules.len() == other.rules.len()
            && (self.rules.iter().zip(&*other.rules)).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Names the rules that may match a call, in order, `from` one of them on, until `ask` has enough.
    #[inline]
    pub(crate) fn each<B>(
        &self,
        _call: &Call<'_>,
        from: usize,
        mut ask: impl FnMut(usize, &Arc<Armed>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (at, rule) in self.rules.iter().enumerate().skip(from) {
            ask(at, rule)?;
        }
        ControlFlow::Continue(())
    }

    /// Fires those that hit, in order, `from` one of them on; that one has been asked already if there is
    /// a `hit`. Breaks off where one of them ends the call.
    pub(crate) fn fire(
        &self,
        call: &Call<'_>,
        here: Here,
        from: usize,
        mut hit: Option<Hit>,
        fired: &mut Vec<Firing>,
    ) -> ControlFlow<()> {
        self.each(call, from, |_, rule| {
            let asked = hit.take().map(Verdict::Hit);
            let verdict = asked.unwrap_or_else(|| rule.consult(call, &self.hub));
            let Verdict::Hit(hit) = verdict else {
                return ControlFlow::Continue(());
            };
            let Some(firing) = Firing::of(rule, hit, call, here, &self.hub) else {
                return ControlFlow::Continue(());
            };
            let is_last = firing.ends_call() || rule.rule.is_final;
            fired.push(firing);
            if is_last {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }
}
