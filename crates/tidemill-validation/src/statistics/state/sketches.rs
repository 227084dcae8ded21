//! The sketches of the library, whose own bytes are looked through before it reads them.

use datasketches::frequencies::FrequentItemsSketch;
use datasketches::hll::HllSketch;

use super::{COUNT_MAX, Input, StateError, Stored};
use crate::statistics::distinct::HLL_LG_K;
use crate::statistics::text::FREQUENT_SLOTS;

/// Where the header of a sketch says what it is, and its flags.
const SIZE_AT: usize = 3;
const FLAGS_AT: usize = 5;
const MODE_AT: usize = 7;
/// Registers of eight bits, in each way of holding them: few as a list, more as a set, many as an array.
const MODES: [(u8, usize); 3] = [(0b1000, 8), (0b1001, 12), (0b1010, 40)];
/// Only what is there, without free places.
const COMPACT: u8 = 8;

impl Stored for HllSketch {
    fn store(&self, out: &mut Vec<u8>) {
        framed(&self.serialize(), out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let bytes = frame(input)?;
        input.expect(registers_are_sound(bytes), "a sketch of distinct values is out of order")?;
        Self::deserialize(bytes).map_err(|error| input.wrong(format!("a sketch of distinct values: {error}")))
    }
}

fn registers_are_sound(bytes: &[u8]) -> bool {
    let header = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let Some((_, start)) = MODES.iter().find(|(mode, _)| *mode == header(MODE_AT)) else { return false };
    if header(SIZE_AT) != HLL_LG_K || bytes.len() < *start {
        return false;
    }
    let (head, body) = bytes.split_at(*start);
    if *start == MODES[2].1 {
        return array_is_sound(head, body);
    }
    // A coupon: six bits of a register's value, never zero, above its place.
    let coupons: Vec<u32> = body.chunks_exact(4).map(number).collect();
    let count = if *start == MODES[0].1 { u32::from(header(6)) } else { number(&head[8..12]) };
    let mut different = coupons.clone();
    different.sort_unstable();
    different.dedup();
    let few = *start != MODES[0].1 || coupons.len() < 8;
    few && header(FLAGS_AT) & COMPACT != 0
        && body.len() == count as usize * 4
        && different.len() == coupons.len()
        && coupons.iter().all(|coupon| coupon >> 26 != 0)
}

/// An array knows the sums of its registers' shares, which estimates rely on.
fn array_is_sound(head: &[u8], registers: &[u8]) -> bool {
    let sum = |at: usize| f64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
    let share = |register: &u8| 0.5f64.powi(i32::from(*register));
    let low: f64 = registers.iter().filter(|register| **register < 32).map(share).sum();
    let high: f64 = registers.iter().filter(|register| **register >= 32).map(share).sum();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.max(1e-9);
    let empty: usize = registers.iter().map(|register| usize::from(*register == 0)).sum();
    registers.len() == 1 << HLL_LG_K
        && registers.iter().all(|register| *register < 64)
        && (0.0..1e18).contains(&sum(8))
        && near(sum(16), low)
        && (near(sum(24), high) || (sum(24) - high).abs() < 1e-9)
        && number(&head[32..36]) as usize == empty
}

impl Stored for FrequentItemsSketch<String> {
    fn store(&self, out: &mut Vec<u8>) {
        framed(&self.serialize(), out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let bytes = frame(input)?;
        // The header may ask for more room than there is; the sum of all counts and the error are its third and
        // fourth eight bytes.
        let slots = bytes.get(SIZE_AT).zip(bytes.get(SIZE_AT + 1));
        let fits = slots.is_some_and(|(most, now)| 1usize << (most & 31) == FREQUENT_SLOTS && now <= most);
        let long =
            |at: usize| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes);
        let counts = long(16) <= COUNT_MAX && long(24) <= COUNT_MAX;
        input.expect(fits && counts, "a sketch of frequent values is out of order")?;
        Self::deserialize(bytes).map_err(|error| input.wrong(format!("a sketch of frequent values: {error}")))
    }
}

fn framed(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).store(out);
    out.extend_from_slice(bytes);
}

fn frame<'a>(input: &mut Input<'a>) -> Result<&'a [u8], StateError> {
    let length = input.length()?;
    input.take(length)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}
