//! SQL over examples and statistics: the query engine (DataFusion), and rules written as queries.
//!
//! [`Engine`] answers queries over anything that can be read row by row; [`SqlRules`] judges the rules of an
//! `ExampleValidator` with it; [`SqlConditions`] are the conditions of `where`; [`statistics_functions`] are the statistics as aggregate functions.

mod conditions;
mod engine;
mod error;
mod exact_arithmetic;
mod exact_sum;
mod provider;
mod rules;
mod star;
mod statistics_function;
mod statistics_table;

pub use conditions::SqlConditions;
pub use engine::{Answer, Engine};
pub use error::EngineError;
pub use rules::SqlRules;
pub use statistics_function::statistics_functions;
