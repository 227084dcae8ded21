//! Which columns a model needs at serving, and which of them a row may lack.

use std::collections::HashMap;

use tidemill_core::{Feature as SchemaFeature, Schema, TensorSpec};
use tidemill_model::{Feature, Mapper, Source};

use crate::error::TransformError;
use crate::fit::ColumnKinds;

/// The environment of requests in a schema.
const SERVING: &str = "SERVING";

/// Refuses a feature of a column that the schema does not expect at serving.
pub(crate) fn check_serving(feature: &str, column: &str, schema: Option<&Schema>) -> Result<(), TransformError> {
    let expected = |expected: &SchemaFeature| {
        !expected.not_in_environment.iter().any(|name| name == SERVING)
            && (expected.in_environment.is_empty() || expected.in_environment.iter().any(|name| name == SERVING))
    };
    match schema.and_then(|schema| schema.features.get(column)) {
        Some(found) if !expected(found) => {
            Err(TransformError::NotAtServing { feature: feature.to_owned(), column: column.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The raw columns of `features`, in the order they first appear.
///
/// A column is optional if values of it were missing in the train split, if the schema does not demand its presence
/// (`min_fraction: 1`), or if every feature of it imputes.
pub(crate) fn inputs(
    features: &[Feature],
    datatypes: &ColumnKinds,
    missing: &HashMap<String, u64>,
    schema: Option<&Schema>,
) -> Vec<TensorSpec> {
    let demanded = |schema: &Schema, column: &str| {
        schema.features.get(column).is_none_or(|feature| feature.presence.min_fraction == Some(1.0))
    };
    let imputed = |feature: &Feature| {
        let first = feature.mappers.iter().find(|mapper| **mapper != Mapper::MissingIndicator);
        let is_filled = |column: &String| feature.columns() == [column.as_str()];
        match (&feature.source, first.and_then(Mapper::fill)) {
            (Source::Column(column), Some(_)) => is_filled(column),
            _ => false,
        }
    };
    let mut inputs: Vec<TensorSpec> = Vec::new();
    for column in features.iter().flat_map(Feature::columns) {
        let Some((datatype, form)) = datatypes.get(&column) else { continue };
        if inputs.iter().any(|input| input.name == column) {
            continue;
        }
        let optional = missing.get(&column).is_some_and(|count| *count > 0)
            || !schema.is_none_or(|schema| demanded(schema, &column))
            || features.iter().filter(|feature| feature.columns().contains(&column)).all(imputed);
        inputs.push(TensorSpec::new(column, *datatype, optional).with_form(*form));
    }
    inputs
}
