//! Where data breaks its schema, with the rows that show it.

mod evidence;
mod rules;
mod settle;
mod text;
mod validate;
mod value;

pub(crate) use evidence::{add_evidence, evidence_columns};
pub(crate) use settle::settle_unknown;
pub(crate) use text::{grouped, percent, shortened};
pub use validate::{DEFAULT_ENVIRONMENT, STRAY_SHARE, validate};
pub(crate) use validate::{belongs_to, finish};
