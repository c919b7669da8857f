//! An error in JSON: a message, or a kind of io error.

use std::io;

use crate::{
    error::RuleError,
    fault::{ErrorFault, Fault},
    wire::{
        document::document,
        fault::io_kind,
        form::Form,
        scalar::refuse,
        shape::{Documented, Shape},
    },
};

pub(super) const ERROR: Shape =
    Shape::either(&[Shape::TEXT.allowing("a message"), ErrorDoc::SHAPE]);

document! {
    /// An io error.
    ErrorDoc as "ErrorFault";
    required {
        /// The kind of `std::io::Error`.
        kind: String = Shape::word(|| io_kind::names().collect());
    }
    optional {
        /// The text of the error. The default is the text of its kind.
        message: String = Shape::TEXT;
    }
}

pub(super) fn fault(doc: Form<ErrorDoc>) -> Result<Fault, RuleError> {
    match doc {
        Form::Text(message) => Ok(Fault::error(&message)),
        Form::Number(_) => Err(refuse("neither a message nor an object")),
        Form::Object(ErrorDoc { kind, message }) => {
            let unknown =
                || ErrorDoc::refuse("kind", format_args!("{kind:?} is no kind of io error"));
            let io_kind = io_kind::from_name(&kind).ok_or_else(unknown)?;
            let message = message.unwrap_or_else(|| io_kind.to_string());
            Ok(Fault::io_error(io_kind, &message))
        }
    }
}

pub(super) fn doc(failure: &ErrorFault) -> Form<ErrorDoc> {
    let message = failure.message().to_owned();
    match io_kind::name(failure.kind()) {
        Some(kind) if failure.kind() != io::ErrorKind::Other => Form::Object(ErrorDoc {
            kind: kind.to_owned(),
            message: Some(message),
        }),
        _ => Form::Text(message),
    }
}
