//! `inject!` and `inject_async!`: a site in code, as one line.

pub(crate) mod pass;
#[doc(hidden)]
pub mod private;

/// A place in plain code where faults may happen: `Result<(), Injected>`.
///
/// `inject!("name")` is a site of the process's own injector. Idle, it costs one load and one
/// branch, and the labels are not evaluated.
///
/// ```
/// use chaos_core::inject;
///
/// fn read(table: &str, id: u64) -> std::io::Result<Vec<u8>> {
///     inject!("db.read", table = table, id = %id)?;
///     Ok(Vec::new())
/// }
/// # read("orders", 7).unwrap();
/// ```
///
/// - **Labels** are what rules match on. `table = value` takes anything that is text
///   (`AsRef<str>`), `id = %value` anything with `Display`, `key = ?value` anything with `Debug`.
///   They stand in a closure, so there is no `?` and no `.await` in them.
/// - **Another injector** comes first: `inject!(injector: &injector, "db.read")?`. Idle, it costs the
///   same. Once anything is armed on that injector, each pass looks its site up by name; and only
///   then is the site listed.
/// - **A delay** blocks the thread. On a thread of a tokio runtime it says so once per site, as a
///   `tracing` warning; in a task, use `inject_async!`.
/// - **The error** converts into [`std::io::Error`] and boxed errors;
///   [`Injected::find`](crate::Injected::find) recognises it afterwards.
///
/// The name is a constant, so a bad one does not compile.
#[macro_export]
macro_rules! inject {
    (injector: $injector:expr, $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(unlisted Sync, $name, $($($labels)*)?);
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            ::core::result::Result::Ok::<(), $crate::Injected>(())
        } else {
            $crate::__private::cold(|| match $crate::__private::armed_in(injector, &__CHAOS_SITE) {
                ::core::option::Option::Some(site) => {
                    $crate::__private::blocking(site, &$crate::__labels!($($($labels)*)?))
                }
                ::core::option::Option::None => ::core::result::Result::Ok(()),
            })
        }
    }};
    ($name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(listed Sync, $name, $($($labels)*)?);
        if __CHAOS_SITE.is_armed() {
            $crate::__blocking!(__CHAOS_SITE, $($($labels)*)?)
        } else {
            ::core::result::Result::Ok::<(), $crate::Injected>(())
        }
    }};
}

/// A place in async code where faults may happen: a future of `Result<(), Injected>`.
///
/// The same as [`inject!`], to be awaited; a delay gives the thread back. Idle, it adds eight bytes
/// to the future it stands in. It must run on tokio.
///
/// It is decided where the macro stands, and carried out where the future is awaited. Cancel-safe:
/// dropping the future ends the delay, and nothing else is carried out.
///
/// ```
/// use chaos_core::inject_async;
///
/// async fn read(table: &str) -> std::io::Result<Vec<u8>> {
///     inject_async!("db.read", table = table).await?;
///     Ok(Vec::new())
/// }
/// # drop(read("orders"));
/// ```
#[cfg(feature = "tokio")]
#[macro_export]
macro_rules! inject_async {
    (injector: $injector:expr, $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(unlisted Async, $name, $($($labels)*)?);
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            $crate::__private::Pass::idle()
        } else {
            $crate::__private::cold(|| match $crate::__private::armed_in(injector, &__CHAOS_SITE) {
                ::core::option::Option::Some(site) => {
                    $crate::__private::waiting(site, &$crate::__labels!($($($labels)*)?))
                }
                ::core::option::Option::None => $crate::__private::Pass::idle(),
            })
        }
    }};
    ($name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(listed Async, $name, $($($labels)*)?);
        if __CHAOS_SITE.is_armed() {
            $crate::__waiting!(__CHAOS_SITE, $($($labels)*)?)
        } else {
            $crate::__private::Pass::idle()
        }
    }};
}

/// What a site does that is not idle; without labels there is no closure to keep out of the way.
#[doc(hidden)]
#[macro_export]
macro_rules! __blocking {
    ($site:ident,) => { $crate::__private::blocking_bare(&$site) };
    ($site:ident, $($labels:tt)+) => {
        $crate::__private::cold(|| match $crate::__private::armed(&$site) {
            ::core::option::Option::Some(site) => {
                $crate::__private::blocking(site, &$crate::__labels!($($labels)+))
            }
            ::core::option::Option::None => ::core::result::Result::Ok(()),
        })
    };
}

/// The same in async code.
#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __waiting {
    ($site:ident,) => { $crate::__private::waiting_bare(&$site) };
    ($site:ident, $($labels:tt)+) => {
        $crate::__private::cold(|| match $crate::__private::armed(&$site) {
            ::core::option::Option::Some(site) => {
                $crate::__private::waiting(site, &$crate::__labels!($($labels)+))
            }
            ::core::option::Option::None => $crate::__private::Pass::idle(),
        })
    };
}

/// The static of a site. `listed` puts it into the catalogue of the process's own injector.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    (listed $kind:ident, $name:expr, $($labels:tt)*) => {
        $crate::__site!(unlisted $kind, $name, $($labels)*);
        $crate::__list!(__CHAOS_SITE);
    };
    (unlisted $kind:ident, $name:expr, $($labels:tt)*) => {
        static __CHAOS_SITE: $crate::Site = $crate::Site::new(
            $name,
            $crate::SiteKind::$kind,
            ::core::file!(),
            ::core::line!(),
            &$crate::__label_names!([] $($labels)*),
        );
    };
}

#[cfg(not(feature = "compile-out"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    ($site:ident) => {
        #[$crate::__private::linkme::distributed_slice($crate::__private::SITES)]
        #[linkme(crate = $crate::__private::linkme)]
        static __CHAOS_LISTED: &$crate::Site = &$site;
    };
}

#[cfg(feature = "compile-out")]
#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    ($site:ident) => {};
}

/// `a = x, b = %y` as `["a", "b"]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __label_names {
    ([$($done:tt)*]) => { [$($done)*] };
    ([$($done:tt)*] $name:ident = % $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_names!([$($done)* ::core::stringify!($name),] $($($rest)*)?)
    };
    ([$($done:tt)*] $name:ident = ? $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_names!([$($done)* ::core::stringify!($name),] $($($rest)*)?)
    };
    ([$($done:tt)*] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_names!([$($done)* ::core::stringify!($name),] $($($rest)*)?)
    };
}

/// `a = x, b = %y` as an array of [`Label`](crate::Label)s.
#[doc(hidden)]
#[macro_export]
macro_rules! __labels {
    ($($labels:tt)*) => { $crate::__label_values!([] $($labels)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __label_values {
    ([$($done:tt)*]) => { [$($done)*] };
    ([$($done:tt)*] $name:ident = % $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_values!(
            [$($done)* $crate::__private::display(::core::stringify!($name), &$value),]
            $($($rest)*)?
        )
    };
    ([$($done:tt)*] $name:ident = ? $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_values!(
            [$($done)* $crate::__private::debug(::core::stringify!($name), &$value),]
            $($($rest)*)?
        )
    };
    ([$($done:tt)*] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__label_values!(
            [$($done)* $crate::__private::text(::core::stringify!($name), &$value),]
            $($($rest)*)?
        )
    };
}
