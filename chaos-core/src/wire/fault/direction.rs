//! The direction that a fault of bytes or headers is about, in JSON.

use crate::{
    call::direction::Direction,
    wire::{
        scalar::{Words, words},
        shape::Shape,
    },
};

pub(super) const DIRECTIONS: Words<Direction> = &[
    ("response", Direction::Response),
    ("request", Direction::Request),
];

pub(super) const DIRECTION: Shape = Shape::word(|| words(DIRECTIONS));

/// Returns the word for a direction that is not the default.
pub(super) fn doc(direction: Direction) -> Option<String> {
    (direction == Direction::Request).then(|| "request".to_owned())
}
