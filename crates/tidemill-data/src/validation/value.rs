//! What a schema asks of a single value. Statistics, rows and (later) requests are judged by the same rule.

use std::collections::HashSet;

use tidemill_core::{Domain, Feature, FeatureType, Schema};

/// The rule for the values of one feature.
#[derive(Debug)]
pub(crate) struct ValueRule<'a> {
    /// The type the schema asks for.
    pub feature_type: FeatureType,
    /// The strings allowed, if they are listed.
    pub allowed: Option<HashSet<&'a str>>,
    /// Least and greatest number allowed.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub disallow_nan: bool,
    pub disallow_inf: bool,
    /// Numbers must be whole.
    pub whole: bool,
}

impl<'a> ValueRule<'a> {
    /// The rule that `schema` has for `feature`.
    pub fn new(feature: &'a Feature, schema: &'a Schema) -> Self {
        let mut rule = Self {
            feature_type: feature.feature_type,
            allowed: None,
            min: None,
            max: None,
            disallow_nan: false,
            disallow_inf: false,
            whole: false,
        };
        match &feature.domain {
            Some(Domain::Values(values)) => rule.allowed = Some(values.iter().map(String::as_str).collect()),
            Some(Domain::Shared(name)) => {
                rule.allowed = schema.domains.get(name).map(|values| values.iter().map(String::as_str).collect());
            }
            Some(Domain::Int { min, max }) => {
                rule.whole = true;
                (rule.min, rule.max) = (min.map(|min| min as f64), max.map(|max| max as f64));
            }
            Some(Domain::Float { min, max, disallow_nan, disallow_inf }) => {
                (rule.min, rule.max) = (*min, *max);
                (rule.disallow_nan, rule.disallow_inf) = (*disallow_nan, *disallow_inf);
            }
            None => {}
        }
        rule
    }

    /// Whether text is one of the strings allowed.
    pub fn allows_text(&self, text: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(text))
    }

    /// The number in a piece of text, if it is one of the kind the rule asks for.
    pub fn number_in(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        if self.whole || self.feature_type == FeatureType::Int {
            text.parse::<i64>().ok().map(|number| number as f64)
        } else {
            text.parse().ok()
        }
    }

    /// Whether a number is below the least allowed.
    pub fn too_small(&self, number: f64) -> bool {
        self.min.is_some_and(|min| number < min)
    }

    /// Whether a number is above the greatest allowed.
    pub fn too_big(&self, number: f64) -> bool {
        self.max.is_some_and(|max| number > max)
    }
}
