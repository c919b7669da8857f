//! Asks about what lasts, such as a connection: each rule once, when it begins or when the rule is armed.

use std::sync::Arc;

use crate::{
    call::Call,
    decision::{Asked, Decision, site_rules::SiteRules},
    site::Site,
};

impl Site {
    /// Returns whether rules aim here about which something that lasts has not been asked.
    #[inline]
    #[must_use]
    pub fn has_news(&self, asked: Asked) -> bool {
        let is_newer = |rules: &Arc<SiteRules>| rules.newest() > asked.0;
        !crate::COMPILED_OUT && self.rules.load().as_ref().is_some_and(is_newer)
    }

    /// Asks the rules about something that lasts, such as a connection, and notes that they were asked: each
    /// rule that it has not been asked about. A rule is asked again when it is put in force again, as by a
    /// resume. Returns `None` if it is left alone.
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
