//! A hash table of the buckets of an index. It is made once, and finds a bucket in a few instructions.

/// The buckets by the hashes of their values. The values are the index's.
#[derive(Debug)]
pub(super) struct Table {
    /// A bucket each, or [`FREE`]; at most half of them is taken. Empty if there are no buckets.
    slots: Box<[u32]>,
    /// The slot of a value is its hash shifted by this, or one of those that follow.
    shift: u32,
}

const FREE: u32 = u32::MAX;

impl Table {
    /// Makes the table of buckets with these values, which differ.
    pub(super) fn of<'v>(buckets: impl ExactSizeIterator<Item = (&'v [u8], u32)>) -> Self {
        let count = buckets.len();
        if count == 0 {
            return Self {
                slots: Box::default(),
                shift: 0,
            };
        }
        let len = (2 * count).next_power_of_two();
        let mut table = Self {
            slots: vec![FREE; len].into(),
            shift: u64::BITS - len.trailing_zeros(),
        };
        for (value, bucket) in buckets {
            let mut slot = table.first_slot(value);
            while table.slots[slot] != FREE {
                slot = table.next_slot(slot);
            }
            table.slots[slot] = bucket;
        }
        table
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns what `take` returns for the bucket of a value. It returns `None` for a bucket of another value.
    #[inline(always)]
    pub(super) fn find<T>(&self, value: &[u8], take: impl Fn(u32) -> Option<T>) -> Option<T> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.first_slot(value);
        loop {
            let bucket = self.slots[slot];
            if bucket == FREE {
                return None;
            }
            if let Some(found) = take(bucket) {
                return Some(found);
            }
            slot = self.next_slot(slot);
        }
    }

    #[inline(always)]
    fn first_slot(&self, value: &[u8]) -> usize {
        (hash(value) >> self.shift) as usize & (self.slots.len() - 1)
    }

    #[inline(always)]
    fn next_slot(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// Hashes a value, eight bytes at a time. Whoever writes rules can give many values one hash, which makes their own
/// rules slower to find; calls add no values.
#[inline(always)]
fn hash(value: &[u8]) -> u64 {
    let word = |word: &[u8; 8]| u64::from_le_bytes(*word);
    let half = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
    let mut hash = value.len() as u64;
    // Of the last eight bytes, some may be in the word before.
    let last = match (value.last_chunk(), value.first_chunk(), value.last_chunk()) {
        (Some(last), ..) => {
            for whole in value[..value.len() - 1].as_chunks::<8>().0 {
                hash = mix(hash ^ word(whole));
            }
            word(last)
        }
        (None, Some(first), Some(last)) => (half(first) << 32) | half(last),
        _ => (value.iter()).fold(0, |all, byte| (all << 8) | u64::from(*byte)),
    };
    mix(hash ^ last)
}

/// Spreads each bit over all bits: both halves of a product, as foldhash and wyhash do.
#[inline(always)]
fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x9E37_79B9_7F4A_7C15) * 0xA076_1D64_78BD_642F_u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 4, 1000] {
            let values: Vec<_> = (0..count)
                .map(|n| "v".repeat(n % 40) + &n.to_string())
                .collect();
            let buckets = values.iter().map(String::as_bytes).zip(0..);
            let table = Table::of(buckets.collect::<Vec<_>>().into_iter());
            let find = |value: &str| {
                table.find(value.as_bytes(), |bucket| {
                    (values[bucket as usize] == value).then_some(bucket as usize)
                })
            };
            for (at, value) in values.iter().enumerate() {
                assert_eq!(find(value), Some(at));
            }
            assert_eq!((find(""), find("w1")), (None, None));
        }
    }
}
