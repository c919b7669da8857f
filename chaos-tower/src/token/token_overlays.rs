//! `TokenOverlays`: the overlays of tokens, each kept until its token expires.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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
    refused_tokens::RefusedTokens,
    token_counts::{TokenCounter, TokenCounts},
};

/// The most tokens whose overlays are open at a time.
const MOST_TOKENS: usize = 1024;

/// The most overlays for Envoy headers that are kept. Their rules count nothing that must last.
const MOST_ASKED: NonZeroUsize = NonZeroUsize::new(1024).expect("more than none");

/// The most overlays for Envoy headers that are made for one token. Each is an edit of all sites.
const MOST_ASKED_OF_TOKEN: usize = 32;

/// The overlays that the services of one layer share.
pub(super) struct TokenOverlays {
    injector: Injector,
    key: TokenKey,
    counter: TokenCounter,
    open: Mutex<HashMap<Box<[u8]>, TokenOverlay>>,
    refused: RefusedTokens,
    asked: Mutex<LruCache<Box<[u8]>, Asked>>,
}

/// An overlay, and the time at which its token expires.
#[derive(Clone)]
pub(super) struct TokenOverlay {
    pub(super) overlay: Overlay,
    expires: SystemTime,
    /// How many overlays for Envoy headers were made for the token.
    asked: Arc<AtomicUsize>,
}

/// An overlay for Envoy headers, and the time at which its token expires.
struct Asked {
    overlay: Overlay,
    expires: SystemTime,
}

impl TokenOverlays {
    pub(super) fn new(key: TokenKey, injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            key,
            counter: TokenCounter::default(),
            open: Mutex::default(),
            refused: RefusedTokens::new(),
            asked: Mutex::new(LruCache::new(MOST_ASKED)),
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
            Err(reason) => {
                self.counter.ignore(reason);
                None
            }
        }
    }

    fn try_open(&self, headers: &HeaderMap) -> Result<TokenOverlay, &'static str> {
        let mut values = headers.get_all(TOKEN_HEADER).iter();
        let (Some(token), None) = (values.next(), values.next()) else {
            return Err(TokenError::Malformed.name());
        };
        let bytes = token.as_bytes();
        let now = self.injector.wall();
        if let Some(open) = lock(&self.open).get(bytes)
            && now < open.expires
        {
            return Ok(open.clone());
        }
        // Read before the token is checked, so that a refusal is never kept for a later policy.
        let policy = self.injector.policy();
        if self.refused.contains(bytes, &policy, now) {
            return Err("refused");
        }
        let new = self.make(bytes, now).map_err(|error| {
            if matches!(error, Unopened::Invalid(TokenError::Refused(_))) {
                self.refused.insert(bytes, policy, now);
            }
            error.name()
        })?;
        self.remember(bytes, new, now)
            .ok_or(Unopened::Crowded.name())
    }

    /// Verifies a token, and makes its overlay if there is room for it.
    fn make(&self, token: &[u8], now: SystemTime) -> Result<TokenOverlay, Unopened> {
        let verified = self.key.verify(token, now)?;
        let text = str::from_utf8(token).map_err(|_| TokenError::Malformed)?;
        if !self.has_room(now) {
            return Err(Unopened::Crowded);
        }
        let expires = verified.expires();
        let overlay = Overlay::of_token(&self.injector, verified, text);
        let overlay = overlay.map_err(TokenError::Refused)?;
        let asked = Arc::default();
        Ok(TokenOverlay {
            overlay,
            expires,
            asked,
        })
    }

    /// Forgets the tokens that have expired, and returns whether another one can be kept.
    fn has_room(&self, now: SystemTime) -> bool {
        let mut opened = lock(&self.open);
        let gone: Vec<_> = opened.extract_if(|_, open| open.expires <= now).collect();
        let has_room = opened.len() < MOST_TOKENS;
        // Dropped without the lock: an overlay that is dropped wakes the tasks that wait in it.
        drop(opened);
        drop(gone);
        has_room
    }

    /// Keeps `new` for the next request with the same token, unless another request did so first. Returns the
    /// overlay that is kept; `None` if others have taken the last place.
    fn remember(&self, token: &[u8], new: TokenOverlay, now: SystemTime) -> Option<TokenOverlay> {
        let mut opened = lock(&self.open);
        match opened.get(token) {
            Some(open) if now < open.expires => return Some(open.clone()),
            None if opened.len() >= MOST_TOKENS => return None,
            _ => {}
        }
        let replaced = opened.insert(token.into(), new.clone());
        drop(opened);
        drop(replaced);
        Some(new)
    }

    /// Returns the overlay for the Envoy headers of a request, or `None` if it asks for no fault, the policy does
    /// not allow them, or the token has asked for too many different ones, which is counted. The overlay
    /// lives as long as the token, unless those of others displace it: a body may still be slow when the
    /// call is over, and the next request with the same headers uses it again.
    pub(super) fn asked(
        &self,
        headers: &HeaderMap,
        site: &SiteGlob,
        token: &TokenOverlay,
    ) -> Option<Overlay> {
        let asked = EnvoyHeaders::of(headers)?;
        let key = [headers.get(TOKEN_HEADER)?.as_bytes(), &asked.values()].concat();
        let now = self.injector.wall();
        if let Some(open) = lock(&self.asked).get(&*key)
            && now < open.expires
        {
            return Some(open.overlay.clone());
        }
        let rules = asked.rules(site);
        if rules.is_empty() {
            return None;
        }
        self.injector.check(&rules).ok()?;
        if token.asked.fetch_add(1, Ordering::Relaxed) >= MOST_ASKED_OF_TOKEN {
            token.asked.store(MOST_ASKED_OF_TOKEN, Ordering::Relaxed);
            self.counter.ignore("headers_crowded");
            return None;
        }
        // What a request asks for counts as its token's.
        let overlay = token.overlay.beside();
        overlay.replace(rules).ok()?;
        let new = Asked {
            overlay: overlay.clone(),
            expires: token.expires,
        };
        let displaced = lock(&self.asked).push(key.into(), new);
        drop(displaced);
        Some(overlay)
    }
}

/// Why a token was not opened.
enum Unopened {
    Invalid(TokenError),
    Crowded,
}

impl Unopened {
    fn name(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.name(),
            Self::Crowded => "crowded",
        }
    }
}

impl From<TokenError> for Unopened {
    fn from(error: TokenError) -> Self {
        Self::Invalid(error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
