#![no_main]
//! `schema.yaml`: no text may make the reader panic, and what is read comes back the same from what is written.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidemill_validation::{parse_schema, schema_from_pbtxt, schema_to_pbtxt, schema_yaml};

fuzz_target!(|text: &str| {
    if let Ok(schema) = parse_schema(text, Path::new("schema.yaml")) {
        assert_eq!(parse_schema(&schema_yaml(&schema), Path::new("schema.yaml")).ok().as_ref(), Some(&schema));
        let (text, _) = schema_to_pbtxt(&schema);
        let _ = schema_from_pbtxt(&text, Path::new("schema.pbtxt"));
    }
});
