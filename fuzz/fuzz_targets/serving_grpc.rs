#![no_main]
//! Messages over gRPC: no bytes may make the server panic.

mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&which, message)) = data.split_first() else { return };
    support::target().grpc(which, message);
});
