//! An injected fault keeps its kind as an io error, and is found again however it was wrapped.

use std::{error::Error, fmt, io};

use chaos_core::{Fault, Injected, Injector, Rule, inject};

#[derive(Debug)]
struct Wrapped(Box<dyn Error + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the query failed")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

fn armed(fault: Fault) -> Injector {
    let injector = Injector::new();
    injector.put(Rule::new(
        "lost".parse().unwrap(),
        "db".parse().unwrap(),
        fault,
    ));
    injector
}

#[test]
fn as_io_error_as_boxed_error_and_below_others() {
    let injector = armed(Fault::io_error(io::ErrorKind::ConnectionReset, "cut"));
    let as_io = || -> io::Result<()> { Ok(inject!(injector: injector, "db")?) };
    let boxed =
        || -> Result<(), Box<dyn Error + Send + Sync>> { Ok(inject!(injector: injector, "db")?) };
    let error = as_io().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(error.to_string(), "cut (injected at db by rule lost)");
    assert_eq!(Injected::find(&error).unwrap().rule().as_str(), "lost");
    let error = boxed().unwrap_err();
    assert_eq!(Injected::find(&*error).unwrap().site(), "db");
    let deep = Wrapped(Box::new(io::Error::other(Wrapped(Box::new(
        as_io().unwrap_err(),
    )))));
    assert!(Injected::find(&deep).is_some());
    assert!(Injected::find(&Wrapped(Box::new(fmt::Error))).is_none());
}

#[test]
fn a_status_in_plain_code_is_an_error_that_knows_it() {
    let injector = armed(Fault::status(503).unwrap());
    let error = inject!(injector: injector, "db").unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 503);
    assert_eq!(error.message(), "status 503");
}
