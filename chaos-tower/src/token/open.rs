//! The overlays that tokens have opened, each until its token expires.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use chaos_core::{Injector, Overlay, Rule, TokenError, TokenKey};
use http::HeaderMap;
use lru::LruCache;

use super::{
    TOKEN_HEADER,
    counts::{Counting, TokenCounts},
};

const MOST: NonZeroUsize = NonZeroUsize::new(1024).expect("more than none");

/// What the services of one layer share.
pub(super) struct Tokens {
    injector: Injector,
    key: TokenKey,
    counting: Counting,
    open: Mutex<LruCache<Box<[u8]>, Open>>,
}

/// An overlay, and when its token expires.
struct Open {
    overlay: Overlay,
    expires: SystemTime,
}

impl Tokens {
    pub(super) fn new(key: TokenKey, injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            key,
            counting: Counting::default(),
            open: Mutex::new(LruCache::new(MOST)),
        }
    }

    pub(super) fn counts(&self) -> TokenCounts {
        self.counting.read()
    }

    /// The overlay of a request's token; `None`, and counted, if the token is no good.
    pub(super) fn open(&self, headers: &HeaderMap) -> Option<Overlay> {
        match self.try_open(headers) {
            Ok(overlay) => {
                self.counting.accept();
                Some(overlay)
            }
            Err(error) => {
                self.counting.ignore(error.name());
                None
            }
        }
    }

    fn try_open(&self, headers: &HeaderMap) -> Result<Overlay, TokenError> {
        let mut values = headers.get_all(TOKEN_HEADER).iter();
        let (Some(token), None) = (values.next(), values.next()) else {
            return Err(TokenError::Malformed);
        };
        let now = self.injector.wall();
        if let Some(open) = self.opened().get(token.as_bytes())
            && now < open.expires
        {
            return Ok(open.overlay.clone());
        }
        let verified = self.key.verify(token.as_bytes(), now)?;
        let text = token.to_str().map_err(|_| TokenError::Malformed)?;
        let expires = verified.expires();
        let overlay = Overlay::of_token(&self.injector, verified, text);
        let overlay = overlay.map_err(TokenError::Refused)?;
        Ok(self.remember(token.as_bytes(), Open { overlay, expires }, now))
    }

    /// Keeps it for the next request with the same token, unless another was quicker.
    fn remember(&self, token: &[u8], new: Open, now: SystemTime) -> Overlay {
        let mut opened = self.opened();
        if let Some(open) = opened.get(token)
            && now < open.expires
        {
            return open.overlay.clone();
        }
        let expired = opened.iter().filter(|(_, open)| open.expires <= now);
        let expired: Vec<_> = expired.map(|(token, _)| token.clone()).collect();
        let mut gone: Vec<_> = expired
            .iter()
            .filter_map(|token| opened.pop(token))
            .collect();
        let overlay = new.overlay.clone();
        gone.extend(opened.push(token.into(), new).map(|(_, open)| open));
        // An overlay that goes wakes whom it keeps waiting.
        drop(opened);
        drop(gone);
        overlay
    }

    /// An overlay of rules that only one request brings; `None` if there are none, or the policy does not
    /// allow them.
    pub(super) fn overlay_of(&self, rules: Vec<Rule>) -> Option<Overlay> {
        if rules.is_empty() || self.injector.check(&rules).is_err() {
            return None;
        }
        let overlay = Overlay::new(&self.injector);
        overlay.replace(rules).ok()?;
        Some(overlay)
    }

    fn opened(&self) -> MutexGuard<'_, LruCache<Box<[u8]>, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
