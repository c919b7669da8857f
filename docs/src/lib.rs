//! The Rust of the README and of the book: `cargo test` compiles each block as it is printed.
#![forbid(unsafe_code)]

/// Makes each block of Rust in a page a doc test.
#[cfg(doctest)]
macro_rules! pages {
    ($($name:ident = $page:literal,)*) => {
        $(
            #[doc = include_str!(concat!("../", $page))]
            mod $name {}
        )*
    };
}

#[cfg(doctest)]
pages! {
    readme = "../README.md",
    axum = "pages/guides/axum.md",
    body_faults = "pages/guides/body-faults.md",
    clients = "pages/guides/clients.md",
    code = "pages/guides/code.md",
    files = "pages/guides/files.md",
    kubernetes = "pages/guides/kubernetes.md",
    migrating = "pages/guides/migrating.md",
    observability = "pages/guides/observability.md",
    production = "pages/guides/production.md",
    tests = "pages/guides/tests.md",
    tests_across_services = "pages/guides/tests-across-services.md",
    tonic = "pages/guides/tonic.md",
    tutorial = "pages/tutorial.md",
}
