//! Examples and models that are elsewhere: object stores and databases.
//!
//! [`connectors`] is what a program hands to `ExampleGen` and to commands that read tables.

mod background;
mod database;
mod objects;

pub use database::{Postgres, Sqlite};
pub use objects::ObjectStores;
use tidemill_data::Connectors;

/// Everything this crate can reach, with credentials from the environment.
pub fn connectors() -> Connectors {
    Connectors::default().with_store(ObjectStores::default()).with_database(Sqlite).with_database(Postgres)
}
