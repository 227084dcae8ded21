//! What data should look like: inferred from statistics, kept in `schema.yaml`, read back with every mistake located.

mod check;
mod infer;
mod parse;
mod pbtxt;
mod print;

pub(crate) use check::problems;
pub use infer::{DOMAIN_VALUES_MAX, infer_schema};
pub use parse::{SchemaError, SchemaIssue, parse_schema, read_schema};
pub use pbtxt::{schema_from_pbtxt, schema_to_pbtxt};
pub use print::schema_yaml;
