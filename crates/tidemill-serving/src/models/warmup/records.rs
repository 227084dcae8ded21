//! The records of a `TFRecord` file in memory.

use tidemill_proto::tfrecord::{HEAD_BYTES, TAIL_BYTES, is_sum_of, length};

/// The records of a file; after an error there are no more.
pub(crate) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], String>> {
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
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(cut)?;
    let Some(length) = length(head) else {
        return Err("not a TFRecord file, or damaged: the checksum of a length is wrong".to_owned());
    };
    let length = usize::try_from(length).map_err(|_| cut())?;
    let (record, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let (sum, rest) = rest.split_at_checked(TAIL_BYTES).ok_or_else(cut)?;
    if !is_sum_of(sum, record) {
        return Err("the file is damaged: the checksum of a record is wrong".to_owned());
    }
    Ok((record, rest))
}
