//! What a package and the training report say of the weights.

use serde_json::{Map, Value, json};
use tidemill_model::{LinearFeature, TransformGraph, category_name};

use crate::learner::definitions;

/// Weights that a package lists; the others are in the model.
const LISTED_MAX: usize = 200;

/// The intercepts and the weights of the features in their own units, those that move the scores most first. Weights that are
/// exactly 0 are not listed. A weight is a number, or for several classes a mapping of their names.
pub(super) fn coefficients(
    graph: &TransformGraph,
    classes: &[String],
    intercepts: &[f64],
    features: &[LinearFeature],
    strengths: &[f64],
) -> Value {
    let by_class = |weights: &[f64]| match weights {
        [one] => json!(one),
        several => {
            classes.iter().cloned().zip(several.iter().map(|weight| json!(weight))).collect::<Map<_, _>>().into()
        }
    };
    let definitions = definitions(graph);
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by(|a, b| strengths[*b].total_cmp(&strengths[*a]));
    let mut listed = Vec::new();
    let mut left_out = 0_usize;
    for at in order {
        let (definition, spec) = definitions[at];
        let mut list = |name: String, weights: &[f64]| {
            if weights.iter().all(|weight| *weight == 0.0) {
                return;
            }
            if listed.len() < LISTED_MAX {
                listed.push(json!({ "name": name, "weight": by_class(weights) }));
            } else {
                left_out += 1;
            }
        };
        match &features[at] {
            LinearFeature::Number { weights, .. } => list(spec.name.clone(), weights),
            LinearFeature::Categories { weights } => {
                for (code, weights) in weights.iter().enumerate() {
                    list(category_name(&spec.name, &definition.mappers, code as u32), weights);
                }
            }
        }
    }
    let mut facts =
        Map::from_iter([("intercept".to_owned(), by_class(intercepts)), ("weights".to_owned(), Value::Array(listed))]);
    if left_out > 0 {
        facts.insert("not_listed".to_owned(), json!(left_out));
    }
    facts.into()
}
