#![no_main]
//! Bodies of the Open Inference Protocol, JSON and binary tensors: no bytes may make the server panic.

mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (Option<u16>, &[u8])| {
    let (json_bytes, body) = data;
    support::target().open_inference(body, json_bytes.map(usize::from));
});
