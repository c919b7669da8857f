//! The macros `inject!` and `inject_async!`, which declare a site in one line of code.

mod looked_up;
pub(crate) mod pass;
#[doc(hidden)]
pub mod private;

/// Declares a site in plain code, and passes it: an expression of type `Result<(), Injected>`.
///
/// `inject!("name")` declares a site of the process's own injector ([`global`](crate::global)).
/// Idle, a pass costs one load and one branch, and the labels are not evaluated.
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
/// - **Labels** are what rules match on. `table = value` takes any value with `AsRef<str>`,
///   `id = %value` any with `Display`, and `key = ?value` any with `Debug`. Label expressions are
///   evaluated inside a closure, only while a rule is armed here, so they cannot contain `?` or
///   `.await`.
/// - **An error of your own**: `inject!("db.read", err = Error::Injected, table = table)?`, directly
///   after the name, takes the function or closure that makes the error from the
///   [`Injected`](crate::Injected). It is evaluated only while a rule is armed here. `err` can
///   therefore not be the name of a label.
/// - **Another injector** is given first: `inject!(injector: &injector, "db.read")?`. Idle, a pass
///   costs the same. Once a rule is armed anywhere on that injector, each thread looks the site up by
///   name on its first pass, and only then is the site listed.
/// - **A delay** blocks the thread. On a thread of a tokio runtime, the first delay of each site is
///   logged as a `tracing` warning; tasks should use `inject_async!`.
/// - **The error** converts into [`std::io::Error`] and into boxed errors; for others, implement
///   `From<Injected>`, or write `err = …`.
///   [`Injected::find`](crate::Injected::find) recognises it later, however it was wrapped.
///
/// The name is a constant expression, so an invalid name is a compile error.
///
/// # Errors
/// Evaluates to an error if a rule fails the call: with an `error`, `value`, `status`, `grpc` or
/// `abort` fault.
///
/// # Panics
/// Panics if a rule with the fault `abort: panic` fires.
#[macro_export]
macro_rules! inject {
    (injector: $injector:expr, $name:expr, err = $err:expr $(, $($labels:tt)*)?) => {{
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            ::core::result::Result::Ok(())
        } else {
            $crate::__private::cold(|| {
                $crate::inject!(injector: injector, $name $(, $($labels)*)?).map_err($err)
            })
        }
    }};
    ($name:expr, err = $err:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(listed Sync, $name, $($($labels)*)?);
        if __CHAOS_SITE.is_armed() {
            $crate::__private::cold(|| {
                $crate::__blocking!(__CHAOS_SITE, $($($labels)*)?).map_err($err)
            })
        } else {
            ::core::result::Result::Ok(())
        }
    }};
    (injector: $injector:expr, $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(unlisted Sync, $name, $($($labels)*)?);
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            ::core::result::Result::Ok::<(), $crate::Injected>(())
        } else {
            $crate::__blocking!(injector, __CHAOS_SITE, $($($labels)*)?)
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

/// Declares a site in async code, and passes it: a future of `Result<(), Injected>`.
///
/// Labels, injectors and errors are those of [`inject!`]. A closure in `err = …` is kept until the
/// future is awaited: with `move`, it keeps copies, and not the variables themselves in the future
/// around it. A delay suspends the task and does not
/// block the thread. Idle, the future adds eight bytes to the future that awaits it. It must be
/// awaited on a tokio runtime.
///
/// The call is decided where the macro is evaluated, and executed where the future is awaited.
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
///
/// # Cancel safety
/// The future is cancel safe: dropping it ends the delay, and nothing further is executed.
///
/// # Panics
/// The future panics if a rule with the fault `abort: panic` fires.
#[cfg(feature = "tokio")]
#[macro_export]
macro_rules! inject_async {
    (injector: $injector:expr, $name:expr, err = $err:expr $(, $($labels:tt)*)?) => {{
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            $crate::__private::Pass::idle()
        } else {
            $crate::__private::cold(|| {
                $crate::inject_async!(injector: injector, $name $(, $($labels)*)?).map_err($err)
            })
        }
    }};
    ($name:expr, err = $err:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(listed Async, $name, $($($labels)*)?);
        if __CHAOS_SITE.is_armed() {
            $crate::__private::cold(|| {
                $crate::__waiting!(__CHAOS_SITE, $($($labels)*)?).map_err($err)
            })
        } else {
            $crate::__private::Pass::idle()
        }
    }};
    (injector: $injector:expr, $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__site!(unlisted Async, $name, $($($labels)*)?);
        let injector: &$crate::Injector = &$injector;
        if injector.is_idle() {
            $crate::__private::Pass::idle()
        } else {
            $crate::__waiting!(injector, __CHAOS_SITE, $($($labels)*)?)
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

/// Passes a site that is not idle. Without labels, the check of the site needs no closure.
#[doc(hidden)]
#[macro_export]
macro_rules! __blocking {
    ($site:ident,) => { $crate::__private::blocking_bare(&$site) };
    ($injector:ident, $site:ident,) => { $crate::__private::blocking_bare_in($injector, &$site) };
    ($injector:ident, $site:ident, $($labels:tt)+) => {
        $crate::__armed!(blocking else ::core::result::Result::Ok(()), $crate::__private::armed_in($injector, &$site), $($labels)+)
    };
    ($site:ident, $($labels:tt)+) => {
        $crate::__armed!(blocking else ::core::result::Result::Ok(()), $crate::__private::armed(&$site), $($labels)+)
    };
}

/// Passes a site in async code that is not idle. Without labels, the check needs no closure.
#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __waiting {
    ($site:ident,) => { $crate::__private::waiting_bare(&$site) };
    ($injector:ident, $site:ident,) => { $crate::__private::waiting_bare_in($injector, &$site) };
    ($injector:ident, $site:ident, $($labels:tt)+) => {
        $crate::__armed!(waiting else $crate::__private::Pass::idle(), $crate::__private::armed_in($injector, &$site), $($labels)+)
    };
    ($site:ident, $($labels:tt)+) => {
        $crate::__armed!(waiting else $crate::__private::Pass::idle(), $crate::__private::armed(&$site), $($labels)+)
    };
}

/// Passes the site, if it is armed, by the function called `pass`, with the labels.
#[doc(hidden)]
#[macro_export]
macro_rules! __armed {
    ($pass:ident else $idle:expr, $site:expr, $($labels:tt)*) => {
        $crate::__private::cold(|| {
            #[allow(unused_imports)]
            use $crate::__private::IntoLabel as _;
            match $site {
                ::core::option::Option::Some(site) => {
                    $crate::__private::$pass(site, &$crate::__labels!($($labels)*))
                }
                ::core::option::Option::None => $idle,
            }
        })
    };
}

/// Defines the static of a site. `listed` also puts it into the catalogue of the process's own
/// injector.
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

/// Puts a site into the catalogue that the linker collects.
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

/// Expands `a = x, b = %y` to the names of the labels: `["a", "b"]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __label_names {
    ([$($done:tt)*]) => { [$($done)*] };
    ([$($done:tt)*] err = $($rest:tt)*) => {
        ::core::compile_error!("`err = …` stands directly after the name of the site")
    };
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

/// Expands `a = x, b = %y` to an array of [`Label`](crate::Label)s.
#[doc(hidden)]
#[macro_export]
macro_rules! __labels {
    ($($labels:tt)*) => { $crate::__label_values!([] $($labels)*) };
}

/// Builds the array of `__labels!`, one label at a time.
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
            [$($done)* $value.__chaos_label(::core::stringify!($name)),]
            $($($rest)*)?
        )
    };
}
