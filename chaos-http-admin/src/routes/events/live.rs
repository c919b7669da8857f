//! `/v1/live`: a stream of server-sent events with a frame a second, of what rules and watched sites count.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chaos_core::Clock;
use futures_util::stream;
use tokio::time::sleep;

use super::{LONGEST, no_place, owner, respond, revoked};
use crate::{
    access::{caller::Caller, live_tokens::AcceptedToken},
    extract::query::WatchedSites,
    followers::Followers,
    history::{live_frames::LiveListener, places::Place},
    worker::Worker,
};

/// Serves a stream of frames, and counts at the sites that it watches for as long as it is open.
pub(crate) async fn follow(
    Extension(followers): Extension<Followers>,
    caller: Caller,
    WatchedSites(sites): WatchedSites,
) -> Response {
    let Some(place) = followers.feed.places().take(owner(&caller)) else {
        return no_place().into_response();
    };
    let live = followers.live.clone();
    let frames = FrameStream {
        listener: Some(followers.worker.run(move || live.listen(sites)).await),
        worker: followers.worker.clone(),
        place,
        token: caller.token,
        clock: Clock::monotonic(),
    };
    let chunks = stream::unfold(frames, |mut frames| async {
        let chunk = frames.next().await?;
        Some((Ok::<_, Infallible>(chunk), frames))
    });
    respond(chunks)
}

/// The state of one stream.
struct FrameStream {
    /// `None` while a worker reads its events.
    listener: Option<LiveListener>,
    worker: Worker,
    place: Place,
    /// The stream ends when this token is revoked.
    token: Option<AcceptedToken>,
    clock: Clock,
}

impl FrameStream {
    /// Waits for the next frames. Returns `None` when the stream ends. Frames come each second, so there is no other
    /// sign that the connection works.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let left = LONGEST.saturating_sub(self.clock.now());
            // Checked for every chunk, so that a stream ends even if there is always more to send.
            let is_revoked = (self.token.as_ref()).is_some_and(AcceptedToken::is_revoked);
            if left.is_zero() || self.place.is_ended() || is_revoked {
                return None;
            }
            let mut listener = self.listener.take()?;
            // Apart from the port's thread, since there may be many rules.
            let read = move || {
                let (events, wait) = (listener.take(), listener.wait());
                (listener, events, wait)
            };
            let (listener, events, wait) = self.worker.run(read).await;
            self.listener = Some(listener);
            if !events.is_empty() {
                return Some(events.into());
            }
            // Timers are as coarse as a millisecond.
            let wait = wait.max(Duration::from_millis(1));
            tokio::select! {
                biased;
                () = self.place.ended() => return None,
                () = revoked(self.token.as_ref()) => return None,
                () = sleep(wait.min(left)) => {}
            }
        }
    }
}
