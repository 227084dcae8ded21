//! The framing of `TFRecord` files: the length of a record, its checksum, the record, its checksum; little endian
//! throughout (TensorFlow, `lib/io/record_writer.h`).

/// Bytes before a record: its length and the checksum of that.
pub const HEAD_BYTES: usize = 12;

/// Bytes behind a record: its checksum.
pub const TAIL_BYTES: usize = 4;

/// Appends a record.
pub fn append(out: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    out.reserve(HEAD_BYTES + record.len() + TAIL_BYTES);
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(record);
    out.extend_from_slice(&masked_crc(record).to_le_bytes());
}

/// The length that a head tells; `None` if its checksum is wrong or it is cut short.
pub fn length(head: &[u8]) -> Option<u64> {
    let (length, checksum) = head.get(..HEAD_BYTES)?.split_first_chunk::<8>()?;
    is_sum_of(checksum, length).then_some(u64::from_le_bytes(*length))
}

/// Whether `checksum` begins with the checksum of `bytes`.
pub fn is_sum_of(checksum: &[u8], bytes: &[u8]) -> bool {
    checksum.first_chunk::<4>().is_some_and(|sum| u32::from_le_bytes(*sum) == masked_crc(bytes))
}

/// The CRC-32C of `bytes`, rotated and moved, so that the checksum of bytes which hold their own checksum is no special
/// case (TensorFlow, `core/lib/hash/crc32c.h`).
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
