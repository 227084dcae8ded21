//! Where data breaks its schema, with the rows that show it.

mod composed;
mod evidence;
mod rows;
mod rules;
mod settle;
mod tally;
mod text;
mod validate;

pub use rows::look_at_rows;
pub(crate) use rules::DERIVED_SOURCE;
pub(crate) use text::{grouped, percent, quoted, short_number};
pub(crate) use validate::finish;
pub use validate::{DEFAULT_ENVIRONMENT, STRAY_SHARE, validate};
