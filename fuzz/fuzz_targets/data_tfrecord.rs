//! TFRecord of `tf.Example`: any bytes, and any bytes as the records of a file whose checksums are right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_data::{Format, ReadOptions};

mod files;

fuzz_target!(|data: &[u8]| {
    let options = ReadOptions { format: Some(Format::TfRecord), ..ReadOptions::default() };
    files::read_all(data, options.clone());
    // A record ends where a byte of 255 stands.
    let framed = data.split(|byte| *byte == 255).flat_map(|record| {
        let length = (record.len() as u64).to_le_bytes();
        [&length[..], &crc(&length), record, &crc(record)].concat()
    });
    files::read_all(&framed.collect::<Vec<u8>>(), options);
});

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
