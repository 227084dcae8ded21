//! Where data and schema disagree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Stops a run.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

macro_rules! anomaly_types {
    ($($variant:ident = $number:literal,)+) => {
        /// The kinds of anomaly, named and numbered as in TensorFlow Metadata's `anomalies.proto`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        #[allow(missing_docs, reason = "the names are TensorFlow Metadata's and their conditions stand at the validator")]
        pub enum AnomalyType { $($variant,)+ }

        impl AnomalyType {
            /// Every type, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its number in TensorFlow Metadata.
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }
        }
    };
}

anomaly_types! {
    UnknownType = 0,
    BoolTypeBigInt = 1,
    BoolTypeBytesNotInt = 2,
    BoolTypeBytesNotString = 3,
    BoolTypeFloatNotInt = 4,
    BoolTypeFloatNotString = 5,
    BoolTypeIntNotString = 6,
    BoolTypeSmallInt = 7,
    BoolTypeStringNotInt = 8,
    BoolTypeUnexpectedString = 9,
    EnumTypeBytesNotString = 10,
    EnumTypeFloatNotString = 11,
    EnumTypeIntNotString = 12,
    EnumTypeInvalidUtf8 = 13,
    EnumTypeUnexpectedStringValues = 14,
    FeatureTypeHighNumberValues = 15,
    FeatureTypeLowFractionPresent = 16,
    FeatureTypeLowNumberPresent = 17,
    FeatureTypeLowNumberValues = 18,
    FeatureTypeNotPresent = 19,
    FeatureTypeNoValues = 20,
    FeatureTypeUnexpectedRepeated = 21,
    FloatTypeBigFloat = 22,
    FloatTypeNotFloat = 23,
    FloatTypeSmallFloat = 24,
    FloatTypeStringNotFloat = 25,
    FloatTypeNonString = 26,
    FloatTypeUnknownTypeNumber = 27,
    IntTypeBigInt = 28,
    IntTypeIntExpected = 29,
    IntTypeNotIntString = 30,
    IntTypeNotString = 31,
    IntTypeSmallInt = 32,
    IntTypeStringExpected = 33,
    IntTypeUnknownTypeNumber = 34,
    SchemaMissingColumn = 35,
    SchemaNewColumn = 36,
    SchemaTrainingServingSkew = 37,
    StringTypeNowFloat = 38,
    StringTypeNowInt = 39,
    ComparatorControlDataMissing = 40,
    ComparatorTreatmentDataMissing = 41,
    ComparatorLInftyHigh = 42,
    NoDataInSpan = 43,
    SparseFeatureMissingValue = 44,
    SparseFeatureMissingIndex = 45,
    SparseFeatureLengthMismatch = 46,
    SparseFeatureNameCollision = 47,
    SemanticDomainUpdate = 48,
    ComparatorLowNumExamples = 49,
    ComparatorHighNumExamples = 50,
    DatasetLowNumExamples = 51,
    BoolTypeUnexpectedFloat = 52,
    FloatTypeHasNan = 53,
    WeightedFeatureNameCollision = 54,
    WeightedFeatureMissingValue = 55,
    WeightedFeatureMissingWeight = 56,
    WeightedFeatureLengthMismatch = 57,
    DatasetHighNumExamples = 58,
    FeatureTypeHighUnique = 59,
    FeatureTypeLowUnique = 60,
    FeatureTypeNoUnique = 61,
    FloatTypeHasInf = 62,
    ComparatorJensenShannonDivergenceHigh = 63,
    LowSupportedImageFraction = 64,
    ValueNestednessMismatch = 65,
    DomainInvalidForType = 66,
    FeatureMissingName = 67,
    FeatureMissingType = 68,
    InvalidSchemaSpecification = 69,
    UnexpectedDataType = 70,
    SequenceValueTooFewOccurrences = 71,
    SequenceValueTooManyOccurrences = 72,
    SequenceValueTooSmallFraction = 73,
    SequenceValueTooLargeFraction = 74,
    FeatureCoverageTooLow = 75,
    FeatureCoverageTooShortAvgTokenLength = 76,
    NlpWrongLocation = 77,
    EmbeddingShapeInvalid = 78,
    MaxImageByteSizeExceeded = 79,
    InvalidFeatureShape = 80,
    InvalidDomainSpecification = 81,
    MultipleReasons = 82,
    StatsNotAvailable = 83,
    DerivedFeatureBadLifecycle = 84,
    DerivedFeatureInvalidSource = 85,
    CustomValidation = 86,
    ComparatorNormalizedAbsoluteDifferenceHigh = 87,
    BoolTypeInvalidConfig = 88,
}

impl fmt::Display for AnomalyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => f.pad(&name),
            _ => fmt::Debug::fmt(self, f),
        }
    }
}

/// One disagreement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The feature, or empty for the dataset as a whole.
    pub feature: String,
    /// What kind it is.
    #[serde(rename = "type")]
    pub anomaly_type: AnomalyType,
    /// How bad it is.
    pub severity: Severity,
    /// In a few words: "unexpected values".
    pub short_description: String,
    /// In one sentence with the numbers.
    pub description: String,
    /// Rows that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// A row that shows an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where the row is: a file, or a split of an Examples artifact.
    pub file: String,
    /// Its number there, from 1, not counting a header.
    pub row: u64,
    /// The value found there.
    pub value: String,
}

/// Anomalies of every split validated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Anomalies {
    /// Format of the file.
    pub version: u32,
    /// By split name; a split without anomalies has an empty list.
    pub splits: BTreeMap<String, Vec<Anomaly>>,
}

impl Anomalies {
    /// Every anomaly with the name of its split.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Anomaly)> {
        self.splits.iter().flat_map(|(split, list)| list.iter().map(move |anomaly| (split.as_str(), anomaly)))
    }

    /// How many anomalies have `severity`.
    pub fn count(&self, severity: Severity) -> usize {
        self.iter().filter(|(_, anomaly)| anomaly.severity == severity).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_number_and_its_name() {
        for (kind, number) in AnomalyType::ALL.iter().zip(0..) {
            assert_eq!(kind.number(), number, "{kind}");
        }
        assert_eq!(AnomalyType::ALL.len(), 89);
        for (kind, name) in [
            (AnomalyType::EnumTypeInvalidUtf8, "ENUM_TYPE_INVALID_UTF8"),
            (AnomalyType::ComparatorLInftyHigh, "COMPARATOR_L_INFTY_HIGH"),
            (AnomalyType::BoolTypeInvalidConfig, "BOOL_TYPE_INVALID_CONFIG"),
            (AnomalyType::NlpWrongLocation, "NLP_WRONG_LOCATION"),
        ] {
            assert_eq!(kind.to_string(), name);
        }
    }
}
