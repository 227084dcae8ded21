//! Where data breaks its schema, with the rows that show it; and how far two datasets lie apart.

mod distance;
mod evidence;
mod rules;
mod text;
mod validate;
mod value;

pub use distance::{FeatureDistance, distances};
pub(crate) use evidence::{add_evidence, evidence_columns};
pub use validate::{DEFAULT_ENVIRONMENT, STRAY_SHARE, validate};
