//! Product pictures. They are generated, and large enough to show throttled transfers. A corrupted
//! byte is visible as a dot.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use futures_util::stream;

/// Width and height in pixels.
const SIDE: u32 = 128;

/// The number of chunks that a picture is sent in.
const PIECES: usize = 16;

/// Draws a square bitmap (BMP) in a colour that depends on the product, brighter towards the right.
pub(super) fn bitmap(product: i64) -> Vec<u8> {
    let pixels = SIDE * SIDE * 3;
    let mut file = b"BM".to_vec();
    for number in [54 + pixels, 0, 54, 40, SIDE, SIDE] {
        file.extend(number.to_le_bytes());
    }
    // One plane with 24 bits per pixel.
    file.extend([1, 0, 24, 0]);
    for number in [0, pixels, 0, 0, 0, 0] {
        file.extend(u32::to_le_bytes(number));
    }
    let colour = product.wrapping_mul(0x9e37_79b9).to_le_bytes();
    for _ in 0..SIDE {
        for bright in 0..SIDE as u8 {
            file.extend(colour[..3].iter().map(|part| part / 2 + bright));
        }
    }
    file
}

/// Returns the picture as a stream of chunks.
pub(super) fn in_pieces(file: Vec<u8>) -> Body {
    let size = file.len().div_ceil(PIECES);
    let pieces: Vec<_> = file.chunks(size).map(Bytes::copy_from_slice).collect();
    let pieces = pieces.into_iter().map(Ok::<_, Infallible>);
    Body::from_stream(stream::iter(pieces))
}
