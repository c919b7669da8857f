//! Follows what lies in etcd.

use std::time::Duration;

use tokio::{sync::watch, time::sleep};

use crate::{
    controller::view::View,
    error::StoreError,
    keys::Keys,
    store::{line::Line, session::Session},
};

/// How long it is waited after an error. One controller asks, not a thousand replicas, so it need not grow.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Follows the keys of a fleet, and lists them again after each error. Returns an error that no other endpoint would not
/// have.
pub(super) async fn follow(line: &Line, keys: &Keys, view: &watch::Sender<View>) -> StoreError {
    loop {
        let error = match line.session().await {
            Ok((nth, session)) => {
                let error = follow_once(&session, keys, view).await;
                line.leave(nth).await;
                error
            }
            Err(error) => error,
        };
        if error.is_final() {
            return error;
        }
        sleep(PAUSE).await;
    }
}

async fn follow_once(session: &Session, keys: &Keys, view: &watch::Sender<View>) -> StoreError {
    let followed = async {
        let listed = session.list(keys.all()).await?;
        let mut watch = session.watch(keys.all(), listed.revision + 1).await?;
        view.send_replace(View::of(keys, listed));
        loop {
            let first = watch.next().await?;
            // What has happened in one revision is seen at once: of a lease that ends, all keys are gone.
            view.send_modify(|view| {
                view.fold(keys, first);
                while let Some(event) = watch.pending() {
                    view.fold(keys, event);
                }
            });
        }
    };
    let Err(error): Result<std::convert::Infallible, StoreError> = followed.await;
    error
}
