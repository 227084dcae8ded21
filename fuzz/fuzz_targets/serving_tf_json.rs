#![no_main]
//! Bodies of TF Serving's REST calls: no bytes may make the server panic.

mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&verb, body)) = data.split_first() else { return };
    support::target().tf_serving(verb, body);
});
