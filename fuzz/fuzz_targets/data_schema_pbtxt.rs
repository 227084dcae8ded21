#![no_main]
//! `schema.pbtxt`: no text may make the reader panic, and what is read comes back the same from what is written.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidemill_validation::{schema_from_pbtxt, schema_to_pbtxt};

fuzz_target!(|text: &str| {
    let read = |text: &str| schema_from_pbtxt(text, Path::new("schema.pbtxt")).ok().map(|read| read.0);
    let Some(schema) = read(text) else { return };
    let mut again = read(&schema_to_pbtxt(&schema).0).expect("what is written can be read");
    assert_eq!(read(&schema_to_pbtxt(&again).0).as_ref(), Some(&again));
    if schema.environments.is_empty() {
        // Environments that features only name are listed where they are written.
        again.environments.clear();
    }
    assert_eq!(again, schema);
});
