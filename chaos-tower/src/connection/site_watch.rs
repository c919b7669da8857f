//! `SiteWatch`: asks the rules of a site about a connection for as long as it is open.

use std::net::IpAddr;

use chaos_core::{Call, Decision, decision::Asked};

use crate::site_ref::SiteRef;

/// The site that a connection passes, and the rules that it was asked about.
#[derive(Debug)]
pub(crate) struct SiteWatch {
    site_ref: SiteRef,
    asked: Asked,
    /// The host to which the connection was made, if it is known. One that was accepted has the address of its
    /// peer.
    host: Option<Box<str>>,
}

impl SiteWatch {
    pub(crate) fn new(site_ref: SiteRef, host: Option<Box<str>>) -> Self {
        Self {
            site_ref,
            asked: Asked::default(),
            host,
        }
    }

    /// Returns whether there may be a rule that the connection was not asked about.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        self.site_ref.is_armed()
    }

    /// Asks the rules in force that it was not asked about.
    pub(crate) fn decide(&mut self, peer: impl Fn() -> Option<IpAddr>) -> Option<Decision> {
        let text = match &self.host {
            None => peer().map(|peer| peer.to_string().into_boxed_str()),
            host => host.clone(),
        };
        let label = text.as_deref().map(|text| ("peer", text.into()));
        let call = Call::new().labels(label.as_slice());
        let peer = || peer().filter(|_| self.host.is_none());
        let call = call.lazy_facts(&peer);
        self.site_ref.decide_news(&call, &mut self.asked)
    }

    /// Returns whether there are rules that were put in force since it was last asked.
    pub(crate) fn has_news(&self) -> bool {
        self.site_ref.has_news(self.asked)
    }
}
