//! What happens to the bytes of a body or a connection, in JSON.

use std::{num::NonZeroU64, time::Duration};

use super::direction::{self, DIRECTION, DIRECTIONS};
use crate::{
    call::direction::Direction,
    error::RuleError,
    fault::Fault,
    plan::bytes::{BytesFault, BytesFaultKind as Kind},
    wire::{
        document::document,
        form::SizeDoc,
        scalar::{
            BYTES_PER_SECOND, DURATION, SIZE, bytes_per_second, duration, duration_text, meaning,
            not_zero, refuse, size, size_text,
        },
        shape::{Documented, Shape},
    },
};

document! {
    /// One effect on the bytes of a body or a connection.
    BodyDoc as "BodyFault", "one effect, and `for` with `stall_after`";
    optional {
        /// Limits the rate at which bytes pass.
        throttle: String = BYTES_PER_SECOND;
        /// Cuts the body or the connection off after this many bytes, as if the sender had
        /// disconnected.
        truncate_after: SizeDoc = SIZE;
        /// Stops after this many bytes, for the time in `for`.
        stall_after: SizeDoc = SIZE;
        /// How long the stall of `stall_after` lasts.
        time as "for": String = DURATION;
        /// Changes this fraction of the bytes.
        corrupt: f64 = Shape::above_0(1.0).allowing("a share of the bytes, above 0 and at most 1");
        /// Delays the first byte by this time.
        first_byte: String = DURATION;
        /// Delays each chunk by this time.
        chunk: String = DURATION;
        /// The direction of the bytes. The default is `response`.
        on: String = DIRECTION;
    }
}

pub(super) fn fault(doc: BodyDoc, beside: Option<Direction>) -> Result<Fault, RuleError> {
    let mut given: Vec<(&str, Result<BytesFault, RuleError>)> = Vec::with_capacity(1);
    let mut take = |name, effect: Option<Result<BytesFault, RuleError>>| {
        given.extend(effect.map(|effect| (name, effect.map_err(BodyDoc::within(name)))));
    };
    let stall_time = || {
        let text = doc
            .time
            .as_deref()
            .ok_or_else(|| BodyDoc::refuse("for", "the field is missing"))?;
        duration(text).map_err(BodyDoc::within("for"))
    };
    let throttle = |text: String| {
        let rate: NonZeroU64 = not_zero(bytes_per_second(&text)?)?;
        Ok(BytesFault::throttle(rate))
    };
    let delay = |text: String, effect: fn(Duration) -> Result<BytesFault, RuleError>| {
        duration(&text)
            .and_then(effect)
            .map_err(|error| error.at(""))
    };
    take("throttle", doc.throttle.map(throttle));
    let truncate = |text: SizeDoc| size(&text).map(BytesFault::truncate_after);
    take("truncate_after", doc.truncate_after.map(truncate));
    let stall = |bytes: u64| BytesFault::stall_after(bytes, stall_time()?);
    if let Some(text) = doc.stall_after {
        let bytes = size(&text).map_err(BodyDoc::within("stall_after"))?;
        given.push(("stall_after", stall(bytes)));
    } else if doc.time.is_some() {
        return Err(BodyDoc::refuse("for", "without stall_after"));
    }
    for (name, effect) in [
        ("corrupt", doc.corrupt.map(BytesFault::corrupt)),
        (
            "first_byte",
            doc.first_byte
                .map(|text| delay(text, BytesFault::first_byte)),
        ),
        (
            "chunk",
            doc.chunk.map(|text| delay(text, BytesFault::each_chunk)),
        ),
    ] {
        given.extend(effect.map(|effect| (name, effect.map_err(BodyDoc::at(name)))));
    }

    let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
    let mut given = given.into_iter();
    let (_, effect) = given.next().ok_or_else(|| refuse("the object is empty"))?;
    if given.next().is_some() {
        let names = names.join(" and ");
        return Err(refuse(format_args!(
            "several effects in one fault: {names}"
        )));
    }
    let inside = doc.on.as_deref().map(|on| meaning(DIRECTIONS, on));
    let inside = inside.transpose().map_err(BodyDoc::within("on"))?;
    let on = inside.or(beside).unwrap_or(Direction::Response);
    Ok(Fault::Body(effect?, on))
}

pub(super) fn doc(bytes: BytesFault, on: Direction) -> BodyDoc {
    let mut doc = BodyDoc {
        on: direction::doc(on),
        ..BodyDoc::default()
    };
    let time = |time: Duration| Some(duration_text(time));
    match bytes.0 {
        Kind::Throttle(rate) => doc.throttle = Some(format!("{}/s", size_text(rate.get()))),
        Kind::TruncateAfter(bytes) => doc.truncate_after = Some(size_text(bytes).into()),
        Kind::StallAfter(bytes, stall) => {
            doc.stall_after = Some(size_text(bytes).into());
            doc.time = time(stall);
        }
        Kind::Corrupt(share) => doc.corrupt = Some(share),
        Kind::FirstByte(wait) => doc.first_byte = time(wait),
        Kind::EachChunk(wait) => doc.chunk = time(wait),
    }
    doc
}
