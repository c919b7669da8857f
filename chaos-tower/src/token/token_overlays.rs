//! `TokenOverlays`: the overlays of tokens, each kept until its token expires.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use chaos_core::{
    Injector, Overlay, SiteGlob,
    token::{TokenError, TokenKey},
};
use http::HeaderMap;
use lru::LruCache;

use super::{
    TOKEN_HEADER,
    envoy_headers::EnvoyHeaders,
    token_counts::{TokenCounter, TokenCounts},
};

const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).expect("more than none");

/// The overlays that the services of one layer share.
pub(super) struct TokenOverlays {
    injector: Injector,
    key: TokenKey,
    counter: TokenCounter,
    open: Mutex<LruCache<Box<[u8]>, TokenOverlay>>,
}

/// An overlay, and the time at which its token expires.
#[derive(Clone)]
pub(super) struct TokenOverlay {
    pub(super) overlay: Overlay,
    expires: SystemTime,
}

impl TokenOverlays {
    pub(super) fn new(key: TokenKey, injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            key,
            counter: TokenCounter::default(),
            open: Mutex::new(LruCache::new(CAPACITY)),
        }
    }

    pub(super) fn counts(&self) -> TokenCounts {
        self.counter.read()
    }

    /// Returns the overlay of a request's token, or `None` if the token is invalid. Counts either.
    pub(super) fn open(&self, headers: &HeaderMap) -> Option<TokenOverlay> {
        match self.try_open(headers) {
            Ok(open) => {
                self.counter.accept();
                Some(open)
            }
            Err(error) => {
                self.counter.ignore(error.name());
                None
            }
        }
    }

    fn try_open(&self, headers: &HeaderMap) -> Result<TokenOverlay, TokenError> {
        let mut values = headers.get_all(TOKEN_HEADER).iter();
        let (Some(token), None) = (values.next(), values.next()) else {
            return Err(TokenError::Malformed);
        };
        let now = self.injector.wall();
        if let Some(open) = self.opened().get(token.as_bytes())
            && now < open.expires
        {
            return Ok(open.clone());
        }
        let verified = self.key.verify(token.as_bytes(), now)?;
        let text = token.to_str().map_err(|_| TokenError::Malformed)?;
        let expires = verified.expires();
        let overlay = Overlay::of_token(&self.injector, verified, text);
        let overlay = overlay.map_err(TokenError::Refused)?;
        Ok(self.remember(token.as_bytes(), TokenOverlay { overlay, expires }, now))
    }

    /// Keeps `new` for the next request with the same token, unless another request did so first. Returns the
    /// overlay that is kept.
    fn remember(&self, token: &[u8], new: TokenOverlay, now: SystemTime) -> TokenOverlay {
        let mut opened = self.opened();
        if let Some(open) = opened.get(token)
            && now < open.expires
        {
            return open.clone();
        }
        let expired = opened.iter().filter(|(_, open)| open.expires <= now);
        let expired: Vec<_> = expired.map(|(token, _)| token.clone()).collect();
        let mut gone: Vec<_> = expired
            .iter()
            .filter_map(|token| opened.pop(token))
            .collect();
        let remembered = new.clone();
        gone.extend(opened.push(token.into(), new).map(|(_, open)| open));
        // Dropped without the lock: an overlay that is dropped wakes the tasks that wait in it.
        drop(opened);
        drop(gone);
        remembered
    }

    /// Returns the overlay for the Envoy headers of a request, or `None` if it has none, or the policy does not
    /// allow them. The overlay lives as long as the token: a body may still be slow when the call is over,
    /// and the next request with the same headers uses it again.
    pub(super) fn asked(
        &self,
        headers: &HeaderMap,
        site: &SiteGlob,
        token: &TokenOverlay,
    ) -> Option<Overlay> {
        let asked = EnvoyHeaders::of(headers)?;
        let key = [headers.get(TOKEN_HEADER)?.as_bytes(), &asked.values()].concat();
        let now = self.injector.wall();
        if let Some(open) = self.opened().get(&*key)
            && now < open.expires
        {
            return Some(open.overlay.clone());
        }
        let rules = asked.rules(site);
        self.injector.check(&rules).ok()?;
        let overlay = Overlay::new(&self.injector);
        overlay.replace(rules).ok()?;
        let new = TokenOverlay {
            overlay,
            expires: token.expires,
        };
        Some(self.remember(&key, new, now).overlay)
    }

    fn opened(&self) -> MutexGuard<'_, LruCache<Box<[u8]>, TokenOverlay>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
