//! LightGBM's text format.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod foreign;

fuzz_target!(|data: &[u8]| foreign::run(&[b"tree\n", data].concat(), "model.txt"));
