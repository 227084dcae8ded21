#![no_main]
//! `schema.pbtxt`: no text may make the reader panic, and what is read comes back the same from what is written.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidemill_data::{schema_from_pbtxt, schema_to_pbtxt};

fuzz_target!(|text: &str| {
    if let Ok((schema, _)) = schema_from_pbtxt(text, Path::new("schema.pbtxt")) {
        let (text, _) = schema_to_pbtxt(&schema);
        assert_eq!(schema_from_pbtxt(&text, Path::new("schema.pbtxt")).ok().map(|read| read.0), Some(schema));
    }
});
