//! `TFRecord` framing: the length of a record, its checksum, the record, its checksum; little endian throughout
//! (TensorFlow, `lib/io/record_writer.h`).

/// Length and its checksum.
const HEAD: usize = 12;
/// The record's checksum.
const TAIL: usize = 4;

/// Appends a record.
pub(super) fn append(out: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked(&length).to_le_bytes());
    out.extend_from_slice(record);
    out.extend_from_slice(&masked(record).to_le_bytes());
}

/// The records of a file; after an error there are no more.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], String>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let read = next(rest);
        rest = read.as_ref().map_or(&[], |(_, after)| *after);
        Some(read.map(|(record, _)| record))
    })
}

fn next(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let cut = || "the file is cut short".to_owned();
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(cut)?;
    let (length, sum) = head.split_at(8);
    if masked(length).to_le_bytes() != sum {
        return Err("this is no TFRecord file, or it is damaged: the checksum of a length is wrong".to_owned());
    }
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    let length = usize::try_from(length).map_err(|_| cut())?;
    let (record, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let (sum, rest) = rest.split_at_checked(TAIL).ok_or_else(cut)?;
    if masked(record).to_le_bytes() != sum {
        return Err("the file is damaged: the checksum of a record is wrong".to_owned());
    }
    Ok((record, rest))
}

/// CRC-32C, masked so that checksums of data with checksums in it stay good ones (TensorFlow, `lib/hash/crc32c.h`).
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
