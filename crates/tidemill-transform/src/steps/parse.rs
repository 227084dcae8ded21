//! Reading one step of the pipeline file, and the JSON Schema that editors use.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemill_core::{ParamIssue, suggest};

use super::{STEPS, Step};
use crate::issues::{issue, one_issue};
use crate::step::{Argument, StepEntry};

impl Step {
    /// Reads one item of a list: a name, or a name with its argument. It is one step, or `impute` and its indicator.
    /// Issues are relative to the item.
    pub(crate) fn parse(value: &Value) -> Result<Vec<Self>, Vec<ParamIssue>> {
        let (name, argument) = match value {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(object) => match (object.iter().next(), object.len()) {
                (Some((name, argument)), 1) => (name.as_str(), argument),
                _ => {
                    return one_issue(
                        "a step has one name; write several steps as a list: `[ { impute: median }, z_score ]`",
                    );
                }
            },
            _ => {
                return one_issue(
                    "a step is a name such as `z_score`, or a name with an argument such as `{ bucketize: 10 }`",
                );
            }
        };
        let Some(entry) = STEPS.iter().find(|entry| entry.name == name) else {
            return Err(vec![unknown(name)]);
        };
        let place = |mut issue: ParamIssue| {
            // An issue in an argument lies below the name.
            if value.is_object() {
                issue.path.insert(0, name.to_owned());
            }
            issue
        };
        entry.read(argument).map_err(|issues| issues.into_iter().map(place).collect())
    }
}

impl StepEntry {
    fn read(&self, argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
        match self.argument {
            Argument::None if !is_empty(argument) => one_issue(format!("`{}` takes no argument", self.name)),
            Argument::None => (self.parse)(&Value::Null),
            Argument::Optional(_) | Argument::Required(_) => (self.parse)(argument),
        }
    }
}

fn is_empty(argument: &Value) -> bool {
    argument.is_null() || argument.as_object().is_some_and(Map::is_empty)
}

/// What other programs call a step, in lower case without separators, and what to write here.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["standardscaler", "standardscale", "standardize", "standardise", "normalization"], "`z_score`"),
    (&["minmaxscaler", "rescale"], "`min_max`"),
    (&["maxabsscaler"], "`{ min_max: { output_min: -1 } }`"),
    (&["robustscaler"], "`robust`"),
    (&["normalize", "normalise", "scale", "scaler"], "`z_score`, or `min_max` for a range from 0 to 1"),
    (&["quantiletransformer"], "`{ interpolate: 1000 }`, or `gaussian` for a normal distribution"),
    (&["powertransformer", "boxcox", "yeojohnson"], "`gaussian`"),
    (&["onehotencoder", "getdummies", "dummies", "dummy"], "`one_hot`"),
    (
        &["ordinalencoder", "labelencoder", "factorize", "stringindexer", "stringlookup", "integerlookup"],
        "`vocabulary`",
    ),
    (&["category", "astype"], "`categorical`"),
    (&["targetencoder", "meanencoder", "meanencoding", "catboostencoder"], "`target_encode`"),
    (&["countencoder", "frequencyencoder", "countencoding", "valuecounts"], "`frequency`"),
    (
        &["simpleimputer", "imputer", "fillna", "fill", "fillmissing", "coalesce"],
        "`{ impute: median }`, or `{ impute: { value: 0 } }`",
    ),
    (&["knnimputer", "iterativeimputer"], "`{ impute: median }`; there is no imputation by other columns"),
    (&["missingindicator", "isna", "isnull"], "`{ impute: { with: median, indicator: true } }`"),
    (
        &["kbinsdiscretizer", "qcut", "discretizer", "discretization", "binning", "bin", "quantilediscretizer"],
        "`{ bucketize: 10 }`",
    ),
    (&["cut", "binarizer", "bucketizer", "digitize"], "`{ bucketize: { boundaries: [0, 10, 100] } }`"),
    (&["hashingtrick", "featurehasher", "hashing", "hash", "hashingvectorizer"], "`{ hash_buckets: 1000 }`"),
    (&["countvectorizer"], "`[ lower, tokenize, bag_of_words ]`"),
    (&["tfidfvectorizer", "tfidftransformer", "tfidf"], "`[ lower, tokenize, tf_idf ]`"),
    (&["multilabelbinarizer"], "`[ { split: \",\" }, multi_hot ]`"),
    (&["truncatedsvd", "svd"], "`{ columns: [ … ], steps: { pca: 2 } }`"),
    (
        &["polynomialfeatures", "interaction", "featurecross"],
        "as a feature by expression, `{ expression: \"a * b\" }`, or `{ cross: [a, b] }`",
    ),
    (&["dayofweek", "weekday"], "`{ date_part: day_of_week }`"),
    (&["todatetime", "datetime", "date", "dt", "timestamp"], "`{ date_part: month }`, which reads dates in text"),
    (&["clipper", "winsorize", "winsorizer", "outlier"], "`{ clip: { quantiles: [0.01, 0.99] } }`"),
    (&["logarithm", "ln"], "`log`, or `log1p`"),
    (&["square"], "`{ power: 2 }`"),
    (&["tolower", "lowercase"], "`lower`"),
    (&["toupper", "uppercase"], "`upper`"),
    (&["trim"], "`strip`"),
    (&["passthrough", "none", "keep", "number", "float", "int", "raw"], "`numeric`"),
];

/// What to write for a step of scikit-learn, pandas, Spark or Keras.
fn foreign(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    FOREIGN.iter().find(|(names, _)| names.contains(&plain.as_str())).map(|(_, ours)| *ours)
}

/// What to write for a name that is not a step.
fn unknown(name: &str) -> ParamIssue {
    let names: Vec<&str> = STEPS.iter().map(|entry| entry.name).collect();
    let hint = match (foreign(name), suggest(name, names.iter().copied())) {
        (Some(ours), _) => format!("here it is written {ours}"),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("steps: {}", names.join(", ")),
    };
    issue(format!("`{name}` is not a step")).with_hint(hint)
}

/// One step as it is written, for the JSON Schema.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "it is the schema of what `Step::parse` reads by hand")]
pub(crate) struct StepParams(Value);

impl JsonSchema for StepParams {
    fn schema_name() -> Cow<'static, str> {
        "StepParams".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut choices = Vec::with_capacity(STEPS.len() + 1);
        let mut optional = Vec::new();
        for entry in STEPS {
            let argument = match entry.argument {
                Argument::None => {
                    choices.push(json!({ "description": entry.about, "type": "string", "const": entry.name }));
                    continue;
                }
                Argument::Optional(argument) => {
                    optional.push(entry.name);
                    argument(generator)
                }
                Argument::Required(argument) => argument(generator),
            };
            choices.push(json!({
                "description": entry.about,
                "type": "object",
                "properties": { (entry.name): argument },
                "required": [entry.name],
                "additionalProperties": false,
            }));
        }
        // Steps whose argument may be left out can also be written as a bare name.
        choices.push(json!({ "type": "string", "enum": optional }));
        json_schema!({ "description": "One step of a feature.", "oneOf": choices })
    }
}

/// The JSON Schema of an argument.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
