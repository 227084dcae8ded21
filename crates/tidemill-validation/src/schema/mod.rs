//! What data should look like: inferred from statistics, kept in `schema.yaml`, read back with every mistake located.

mod chance;
mod check;
mod diff;
mod edit;
mod hints;
mod infer;
mod meaning;
mod parse;
mod pbtxt;
mod print;
mod update;

pub(crate) use check::problems;
pub use diff::{SchemaChange, schema_diff};
pub(crate) use hints::offer;
pub use hints::{Offer, semantic_offers};
pub use infer::{DOMAIN_VALUES_MAX, infer_schema};
pub(crate) use meaning::is_of_time;
pub use parse::{SchemaError, SchemaIssue, parse_schema, read_schema, read_schema_with_notes};
pub(crate) use parse::{is_pbtxt, parse_by_name, parse_written_schema, read_text};
pub use pbtxt::{schema_from_pbtxt, schema_to_pbtxt};
pub use print::{inferred_yaml, schema_yaml};
pub use update::{SchemaUpdate, update_schema};
