use proptest::prelude::*;

use tidemill_proto::tfrecord::append;

use super::records::read;

#[test]
fn records_are_framed_as_tensorflow_frames_them() {
    let mut bytes = Vec::new();
    append(&mut bytes, b"123456789");
    // CRC-32C of "123456789" is e3069283 (RFC 3720, appendix B.4); masked as TensorFlow does.
    let masked = 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8);
    assert_eq!(bytes[..8], 9u64.to_le_bytes());
    assert_eq!(bytes[12..21], *b"123456789");
    assert_eq!(bytes[21..], masked.to_le_bytes());
    assert_eq!(read(&bytes).collect::<Vec<_>>(), [Ok(&b"123456789"[..])]);
}

proptest! {
    #[test]
    fn records_come_back(records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..5)) {
        let mut bytes = Vec::new();
        for record in &records {
            append(&mut bytes, record);
        }
        let back: Result<Vec<&[u8]>, String> = read(&bytes).collect();
        prop_assert_eq!(back.unwrap(), records);
    }

    #[test]
    fn damage_is_seen(
        record in proptest::collection::vec(any::<u8>(), 1..50),
        at in any::<proptest::sample::Index>(),
        flip in 1u8..,
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        append(&mut bytes, &record);
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert!(short.is_empty() || read(short).any(|record| record.is_err()));
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(read(&bytes).any(|record| record.is_err()));
    }

    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).count() < 100);
    }
}
