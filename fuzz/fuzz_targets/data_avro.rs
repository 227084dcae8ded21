//! Avro object container files: any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_data::{Format, ReadOptions};

mod files;

fuzz_target!(|data: &[u8]| {
    let options = ReadOptions { format: Some(Format::Avro), ..ReadOptions::default() };
    files::read_all(data, options);
});
