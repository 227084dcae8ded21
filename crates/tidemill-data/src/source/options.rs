//! How to read a table.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use tidemill_core::FeatureType;

use super::{CsvOptions, Format};
use crate::column_type::data_type_of;

/// How to read a table. The default decides everything from the data.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format; from the extension of each file when absent.
    pub format: Option<Format>,
    /// Types that columns must have, by name, of those that [`is_column_type`](crate::is_column_type) names. A value that cannot have its
    /// type is an error that names file, line and column. Columns that are not named get their type from the data;
    /// names that the data does not have are an error.
    pub types: Option<SchemaRef>,
    /// Types that columns should have, by name, where nobody insists: those of a schema. A column of a text format
    /// has the type if all its values can be read so, else the one that the data suggests. Names that the data does not
    /// have are ignored, and so are formats whose files say their types.
    pub hints: Option<SchemaRef>,
    /// The only columns to read, in this order; all when absent.
    pub columns: Option<Vec<String>>,
    /// How CSV files are written; of no matter for other formats.
    pub csv: CsvOptions,
}

impl ReadOptions {
    /// The same with types that columns must have, beside those that have one already.
    #[must_use]
    pub fn with_types(self, types: impl IntoIterator<Item = (String, FeatureType)>) -> Self {
        let fields = types.into_iter().map(|(name, of)| Field::new(name, data_type_of(of), true));
        self.with_schema(&Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The same with the types of a schema's columns, beside those of columns that have one already.
    #[must_use]
    pub fn with_schema(mut self, schema: &Schema) -> Self {
        let mut fields: Vec<Arc<Field>> = self.types.iter().flat_map(|types| types.fields().iter().cloned()).collect();
        for field in schema.fields() {
            if fields.iter().all(|known| known.name() != field.name()) {
                fields.push(field.clone());
            }
        }
        self.types = if fields.is_empty() { self.types } else { Some(Arc::new(Schema::new(fields))) };
        self
    }

    /// The same with the types of a schema's features as hints.
    #[must_use]
    pub fn with_hints(self, schema: &tidemill_core::Schema) -> Self {
        let field =
            |(name, of): (&String, &tidemill_core::Feature)| Field::new(name, data_type_of(of.feature_type), true);
        let hints = Schema::new(schema.features.iter().map(field).collect::<Vec<_>>());
        Self { hints: Some(Arc::new(hints)), ..self }
    }
}
