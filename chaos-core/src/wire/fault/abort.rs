//! An abort in JSON: one of the words, or the error code of an HTTP/2 stream.

use crate::{
    error::RuleError,
    fault::Fault,
    plan::cut::{Abort, CutKind, StreamReason},
    wire::{
        document::document,
        form::Form,
        scalar::{Words, meaning, refuse, word, words},
        shape::{Documented, Shape},
    },
};

const ABORTS: Words<Abort> = &[
    ("close", Abort::Cut(CutKind::Close)),
    ("reset", Abort::Cut(CutKind::Reset)),
    ("refuse", Abort::Cut(CutKind::Refuse)),
    ("goaway", Abort::Cut(CutKind::GoAway)),
    ("panic", Abort::Panic),
    ("exit", Abort::Exit),
];

pub(super) const ABORT: Shape = Shape::either(&[Shape::word(|| words(ABORTS)), StreamDoc::SHAPE]);

document! {
    /// A reset of one HTTP/2 stream.
    StreamDoc as "StreamAbort";
    required {
        /// The error code of the reset.
        h2: String = Shape::word(|| StreamReason::names().to_vec());
    }
}

pub(super) fn fault(doc: Form<StreamDoc>) -> Result<Fault, RuleError> {
    let abort = match doc {
        Form::Text(name) => meaning(ABORTS, &name)?,
        Form::Number(number) => return Err(refuse(format_args!("{number} is no abort"))),
        Form::Object(StreamDoc { h2 }) => {
            Abort::Cut(CutKind::Stream(StreamReason::from_name(&h2)?))
        }
    };
    Ok(Fault::abort(abort))
}

/// Whether bytes may pass before it.
pub(super) fn cuts(abort: Abort) -> bool {
    matches!(
        abort,
        Abort::Cut(CutKind::Close | CutKind::Reset | CutKind::Stream(_))
    )
}

pub(super) fn doc(abort: Abort) -> Form<StreamDoc> {
    match abort {
        Abort::Cut(CutKind::Stream(reason)) => Form::Object(StreamDoc {
            h2: reason.name().to_owned(),
        }),
        abort => Form::Text(word(ABORTS, &abort).unwrap_or("close").to_owned()),
    }
}
