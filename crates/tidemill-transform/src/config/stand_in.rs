//! Whether steps can follow each other, before anything is fitted.

use tidemill_model::{Encoding, Feature, Keys, Node, Scalar, Stage};

use super::FeatureConfig;
use super::choice::Choice;
use super::step::{ImputeWith, Step};

/// Whether the steps fit values that start as `first`; why not. Fitted constants are stood in for.
pub(crate) fn stand_in(feature: &FeatureConfig, first: Stage) -> Result<(), String> {
    try_steps(feature, first).map_err(|(_, reason)| reason)
}

/// As [`stand_in`], with the number of steps that fit before one that does not.
pub(super) fn try_steps(feature: &FeatureConfig, first: Stage) -> Result<(), (usize, String)> {
    let mut stage = first;
    let mut nodes = Vec::new();
    for (done, step) in feature.steps.iter().enumerate() {
        for node in stand_in_nodes(step, stage).map_err(|reason| (done, reason))? {
            stage = node.output(stage).map_err(|reason| (done, reason))?;
            nodes.push(node);
        }
    }
    let fitted = Feature { name: feature.name.clone(), source: feature.source.clone(), nodes };
    fitted.check(first).map_err(|reason| (feature.steps.len(), reason))
}

/// The nodes of `step`, with any constants where they would be fitted; none for `numeric`.
fn stand_in_nodes(step: &Step, stage: Stage) -> Result<Vec<Node>, String> {
    let is_key = matches!(stage, Stage::Text | Stage::Int);
    let keys = || if stage == Stage::Text { Keys::Strings(vec![String::new()]) } else { Keys::Integers(vec![0]) };
    Ok(vec![match step {
        Step::Numeric if stage == Stage::Text => return Err("text is not numeric".to_owned()),
        Step::Numeric if stage == Stage::Binary => return Err("bytes are not numeric".to_owned()),
        Step::Numeric if stage == Stage::History => {
            return Err("a history begins with `lag` or `window`".to_owned());
        }
        Step::Numeric => return Ok(Vec::new()),
        Step::Impute(ImputeWith::Mean | ImputeWith::Median) if stage == Stage::Text => {
            return Err("text has no mean and no median".to_owned());
        }
        Step::Impute(ImputeWith::Mean | ImputeWith::Median) => Node::Impute { value: Scalar::Float(0.5) },
        Step::Impute(ImputeWith::MostFrequent) => Node::Impute {
            value: match stage {
                Stage::Text => Scalar::Text(String::new()),
                Stage::Bool => Scalar::Bool(false),
                Stage::Int | Stage::Bucket(_) | Stage::Code(_) => Scalar::Int(0),
                Stage::Float | Stage::Columns | Stage::Tokens | Stage::Vector(_) | Stage::History | Stage::Binary => {
                    Scalar::Float(0.5)
                }
            },
        },
        Step::Impute(ImputeWith::Constant(value)) => Node::Impute { value: value.clone() },
        Step::ZScore => Node::ZScore { mean: 0.0, std_dev: 1.0 },
        Step::MinMax { output_min, output_max } => {
            Node::MinMax { min: 0.0, max: 1.0, output_min: *output_min, output_max: *output_max }
        }
        Step::Buckets(count) => Node::Bucketize { boundaries: (1..*count).map(f64::from).collect() },
        Step::Boundaries(boundaries) => Node::Bucketize { boundaries: boundaries.clone() },
        Step::Vocabulary(choice) => Node::Vocabulary { values: keys(), oov_buckets: choice.oov_buckets },
        Step::Categorical => {
            let is_code = matches!(stage, Stage::Bucket(_) | Stage::Bool);
            Node::Categorical { values: (!is_code).then(keys) }
        }
        Step::Log => Node::Log,
        Step::Log1p => Node::Log1p,
        Step::Clip { min, max } => Node::Clip { min: *min, max: *max },
        Step::ClipQuantiles { .. } | Step::ClipTukey(_) => Node::Clip { min: Some(0.0), max: Some(1.0) },
        Step::Sqrt => Node::Sqrt,
        Step::Power(exponent) => Node::Power { exponent: *exponent },
        Step::HashBuckets(buckets) => Node::HashBuckets { buckets: *buckets },
        Step::DatePart(part) => Node::DatePart { part: *part },
        Step::OneHot(_) if is_key => return Ok(vec![Node::Categorical { values: Some(keys()) }, Node::OneHot]),
        Step::OneHot(choice) if choice.is_all() => Node::OneHot,
        Step::OneHot(_) => {
            return Err(format!("`one_hot` of {stage} has nothing to choose, so it takes no argument"));
        }
        Step::Cyclic(period) => Node::Cyclic { period: *period },
        Step::MissingIndicator => Node::MissingIndicator,
        Step::Fixed(node) => node.clone(),
        Step::Robust { .. } => Node::Robust { median: 0.0, range: 1.0 },
        Step::Gaussian => Node::Gaussian { location: 0.0, scale: 1.0, h_left: 0.0, h_right: 0.0 },
        Step::Interpolate(_) => Node::Interpolate { boundaries: vec![0.0, 1.0] },
        Step::Density(_) => Node::Density { boundaries: vec![0.0, 1.0], densities: vec![1.0] },
        Step::By { column, step } => {
            let other = stand_in_nodes(step, stage)?.pop().ok_or("nothing to fit for each key")?;
            Node::ByKey {
                column: column.clone(),
                values: Keys::Integers(Vec::new()),
                nodes: Vec::new(),
                other: Box::new(other),
            }
        }
        Step::Frequency => Node::Frequency { values: keys(), shares: vec![1.0] },
        Step::TargetEncode { .. } => {
            let full = Encoding { encodings: vec![0.5], missing: 0.5, other: 0.5 };
            Node::TargetEncode { values: keys(), full, folds: Vec::new() }
        }
        Step::MultiHot(choice) => Node::MultiHot { values: token(choice), oov_buckets: choice.oov_buckets },
        Step::BagOfWords(choice) => Node::BagOfWords { values: token(choice), oov_buckets: choice.oov_buckets },
        Step::TfIdf { choice, .. } => Node::TfIdf { values: token(choice), idf: vec![1.0] },
        Step::Window { from, length, take } => {
            Node::Window { from_seconds: from.unwrap_or(0), length_seconds: *length, take: *take }
        }
        Step::Pca(components) => {
            let Stage::Vector(columns) = stage else {
                return Err(format!("`pca` does not apply to {stage}; it takes `columns: [ … ]`"));
            };
            if *components > columns {
                return Err(format!("`pca` cannot give {components} directions of {columns} columns"));
            }
            let component = vec![0.5; columns as usize];
            Node::Project { means: component.clone(), components: vec![component; *components as usize] }
        }
    }])
}

/// A token that stands in for those chosen, where any are.
fn token(choice: &Choice) -> Keys {
    Keys::Strings(if choice.top_k == Some(0) { Vec::new() } else { vec![String::new()] })
}
