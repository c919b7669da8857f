//! What several modules use.

#[cfg(feature = "fleet")]
pub(crate) mod etcd;
#[cfg(feature = "gameday")]
pub(crate) mod experiment;
#[cfg(any(feature = "fleet", feature = "gameday"))]
pub(crate) mod hook;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod relay;
#[cfg(all(feature = "watch", target_os = "linux"))]
pub(crate) mod screen;
#[cfg(all(feature = "fleet", feature = "gameday"))]
pub(crate) mod shops;
pub(crate) mod traffic;
#[cfg(any(feature = "fleet", feature = "gameday"))]
pub(crate) mod wait;
