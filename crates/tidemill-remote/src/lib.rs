//! Examples and models in object stores and databases.
//!
//! [`connectors`] returns all connectors, for `ExampleGen` and for commands that read tables.

mod background;
mod database;
mod objects;

pub use database::{Postgres, Sqlite};
pub use objects::ObjectStores;
use tidemill_data::Connectors;

/// Returns a connector for everything this crate can reach, with credentials from the environment.
pub fn connectors() -> Connectors {
    Connectors::default().with_store(ObjectStores::default()).with_database(Sqlite).with_database(Postgres)
}
