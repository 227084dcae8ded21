#![no_main]
//! Configuration files as text, and the paths of requests.

use libfuzzer_sys::fuzz_target;
use tidemill_serving::fuzzing;

fuzz_target!(|text: &str| {
    fuzzing::config(text);
    fuzzing::route("POST", text);
    fuzzing::route("GET", text);
});
