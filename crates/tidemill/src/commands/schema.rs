//! `tidemill schema`.

use tidemill_core::{Code, Schema};
use tidemill_pipeline::pipeline_schema;

use crate::cli::SchemaArgs;
use crate::commands::write_out;
use crate::components;
use crate::error::Failure;

pub fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let schema = match args.of.as_str() {
        "pipeline" => pipeline_schema(&components::all(None)),
        _ => schemars::schema_for!(Schema).to_value(),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::new(Code::Internal, format!("the schema cannot be written: {error}")))?;
    write_out(&(text + "\n"))?;
    Ok(0)
}
