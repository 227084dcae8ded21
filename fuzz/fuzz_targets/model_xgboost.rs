//! XGBoost's JSON format.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod foreign;

fuzz_target!(|data: &[u8]| {
    if data.first() == Some(&b'{') {
        foreign::run(data, "model.json");
    }
});
