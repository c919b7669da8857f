//! Evaluates each rule once about something that lasts, such as a connection: when it begins, or when the
//! rule is armed.

use std::sync::Arc;

use crate::{
    call::Call,
    decision::{Asked, Decision, site_rules::SiteRules},
    site::Site,
};

impl Site {
    /// Returns whether rules aim here that have not decided yet about something that lasts, such as a
    /// connection.
    #[inline]
    #[must_use]
    pub fn has_news(&self, asked: Asked) -> bool {
        let is_newer = |rules: &Arc<SiteRules>| rules.newest() > asked.0;
        !crate::COMPILED_OUT && self.rules.load().as_ref().is_some_and(is_newer)
    }

    /// Evaluates the rules that have not decided yet about something that lasts, such as a connection, and
    /// records them in `asked`. A rule decides again after it is put in force again, for example by a
    /// resume. Returns `None` if no rule hits.
    #[cold]
    pub fn decide_news(&self, call: &Call<'_>, asked: &mut Asked) -> Option<Decision> {
        let guard = self.rules.load();
        let site_rules = guard.as_ref().filter(|_| !crate::COMPILED_OUT)?;
        let before = asked.0;
        asked.0 = before.max(site_rules.newest());
        if before == 0 {
            return self.ask(site_rules, call);
        }
        site_rules.count_call();
        let news = site_rules.since(before).map(Arc::new);
        let decision = news.and_then(|news| self.look_closer(&news, 0, call));
        if decision.is_none() {
            self.retire(site_rules);
        }
        decision
    }
}
