//! What is wrong with a schema in itself, whatever the data.

use std::collections::BTreeSet;

use tidemill_core::{
    AnomalyType, Bins, Comparators, DatasetConstraints, Distance, Domain, Feature, FeatureType, Schema, TimePattern,
    TimeUnit, suggest,
};

/// A contradiction inside a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// The feature, or empty for the schema as a whole.
    pub feature: String,
    pub anomaly_type: AnomalyType,
    /// Keys from the root of the file to the place.
    pub path: Vec<String>,
    pub message: String,
    pub hint: Option<String>,
}

/// Everything in `schema` that contradicts itself, in the order of the features.
///
/// What validation reports; [`slips`] adds what is only likely to be a slip of the pen.
pub(crate) fn problems(schema: &Schema) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, values) in &schema.domains {
        if let Some(twice) = repeated(values) {
            found.push(Problem {
                feature: String::new(),
                anomaly_type: AnomalyType::InvalidDomainSpecification,
                path: vec!["domains".to_owned(), name.clone()],
                message: format!("domain `{name}` lists `{twice}` twice"),
                hint: None,
            });
        }
    }
    if let Some(dataset) = &schema.dataset {
        dataset_problems(dataset, &mut found);
    }
    composed_problems(schema, &mut found);
    for (name, feature) in &schema.features {
        Checker { name, feature, schema, found: &mut found }.run();
    }
    found
}

/// Bounds on the number of examples that nothing can keep.
fn dataset_problems(dataset: &DatasetConstraints, found: &mut Vec<Problem>) {
    let mut add = |path: &[&str], message: String| {
        let path = std::iter::once("dataset").chain(path.iter().copied()).map(str::to_owned).collect();
        let anomaly_type = AnomalyType::InvalidSchemaSpecification;
        found.push(Problem { feature: String::new(), anomaly_type, path, message, hint: None });
    };
    if let (Some(min), Some(max)) = (dataset.min_examples, dataset.max_examples)
        && min > max
    {
        add(&["min_examples"], format!("min_examples {min} is above max_examples {max}"));
    }
    for (comparator, bounds) in
        [("num_examples_drift", dataset.num_examples_drift), ("num_examples_version", dataset.num_examples_version)]
    {
        let Some(bounds) = bounds else { continue };
        for (key, value) in [("min_fraction", bounds.min_fraction), ("max_fraction", bounds.max_fraction)] {
            if value.is_some_and(|value| !(value >= 0.0 && value.is_finite())) {
                add(&[comparator, key], format!("{key} is no fraction: a number from 0 is expected"));
            }
        }
        if let (Some(min), Some(max)) = (bounds.min_fraction, bounds.max_fraction)
            && min > max
        {
            add(&[comparator], format!("min_fraction {min} is above max_fraction {max}"));
        }
    }
}

/// Features made of columns: names that are taken, columns that are not there.
fn composed_problems(schema: &Schema, found: &mut Vec<Problem>) {
    let live = |name: &str| schema.features.get(name).is_some_and(|feature| !feature.is_exempt());
    let mut add = |name: &str, path: [&str; 2], anomaly_type, message: String, hint| {
        let path = path.map(str::to_owned).to_vec();
        found.push(Problem {
            feature: name.to_owned(),
            anomaly_type,
            path,
            message: format!("`{name}`: {message}"),
            hint,
        });
    };
    for name in schema.sparse_features.keys() {
        let path = ["sparse_features", name];
        if live(name) && !schema.weighted_features.contains_key(name) {
            let message = "a feature has the same name".to_owned();
            add(name, path, AnomalyType::SparseFeatureNameCollision, message, None);
        }
    }
    for name in schema.weighted_features.keys() {
        let path = ["weighted_features", name];
        if live(name) || schema.sparse_features.contains_key(name) {
            let message = "another feature has the same name".to_owned();
            add(name, path, AnomalyType::WeightedFeatureNameCollision, message, None);
        }
    }
}

/// Columns of sparse and weighted features that the schema does not know. In a file that a person writes they are misspelt.
pub(crate) fn slips(schema: &Schema) -> Vec<Problem> {
    let sparse = schema.sparse_features.iter().map(|(name, sparse)| {
        ("sparse_features", name, sparse.index.iter().chain([&sparse.value]).collect::<Vec<_>>())
    });
    let weighted = schema
        .weighted_features
        .iter()
        .map(|(name, weighted)| ("weighted_features", name, vec![&weighted.value, &weighted.weight]));
    let mut found = Vec::new();
    for (key, name, columns) in sparse.chain(weighted) {
        for column in columns.into_iter().filter(|column| !schema.features.contains_key(*column)) {
            let near = suggest(column, schema.features.keys().map(String::as_str));
            found.push(Problem {
                feature: name.clone(),
                anomaly_type: AnomalyType::InvalidSchemaSpecification,
                path: vec![key.to_owned(), name.clone()],
                message: format!("`{name}`: there is no feature `{column}`"),
                hint: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
    }
    found
}

struct Checker<'a> {
    name: &'a str,
    feature: &'a Feature,
    schema: &'a Schema,
    found: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn run(&mut self) {
        self.presence();
        if let Some(domain) = &self.feature.domain {
            self.domain(domain);
        }
        let is_text_domain = self.feature.domain.as_ref().is_some_and(Domain::lists_strings);
        if let Some(mass) = self.feature.min_domain_mass {
            let specification = AnomalyType::InvalidSchemaSpecification;
            if !(0.0..=1.0).contains(&mass) {
                self.add(specification, &["min_domain_mass"], format!("min_domain_mass is {mass}, outside 0 to 1"));
            }
            if !is_text_domain {
                self.add(specification, &["min_domain_mass"], "min_domain_mass needs a domain of strings".to_owned());
            }
        }
        if let Some(unique) = self.feature.unique {
            let specification = AnomalyType::InvalidSchemaSpecification;
            if self.feature.feature_type == FeatureType::Bool {
                let message = "`unique` needs text, bytes or numbers, the type is `bool`".to_owned();
                self.add(specification, &["unique"], message);
            }
            if matches!((unique.min, unique.max), (Some(min), Some(max)) if min > max) {
                self.add(specification, &["unique"], "unique has min above max".to_owned());
            }
        }
        self.balance();
        for (key, comparators) in [("drift", &self.feature.drift), ("skew", &self.feature.skew)] {
            if let Some(comparators) = comparators {
                self.comparators(key, comparators);
            }
        }
        for key in ["in_environment", "not_in_environment"] {
            let named =
                if key == "in_environment" { &self.feature.in_environment } else { &self.feature.not_in_environment };
            for environment in named {
                if !self.schema.environments.is_empty() && !self.schema.environments.contains(environment) {
                    let hint = suggest(environment, self.schema.environments.iter().map(String::as_str));
                    let hint = hint.map(|near| format!("did you mean `{near}`?"));
                    let message = format!("environment `{environment}` is not among `environments`");
                    self.add_hint(AnomalyType::InvalidSchemaSpecification, &[key], message, hint);
                }
            }
        }
    }

    fn presence(&mut self) {
        let specification = AnomalyType::InvalidSchemaSpecification;
        if let Some(fraction) = self.feature.presence.min_fraction
            && !(0.0..=1.0).contains(&fraction)
        {
            let message = format!("min_fraction is {fraction}, outside 0 to 1");
            self.add(specification, &["presence", "min_fraction"], message);
        }
        if let Some(tolerance) = self.feature.presence.tolerance
            && !(0.0..=1.0).contains(&tolerance)
        {
            let message = format!("tolerance is {tolerance}, outside 0 to 1");
            self.add(specification, &["presence", "tolerance"], message);
        }
        if let Some(count) = self.feature.value_count
            && matches!((count.min, count.max), (Some(min), Some(max)) if min > max)
        {
            self.add(specification, &["value_count"], "value_count has min above max".to_owned());
        }
        for (level, count) in self.feature.value_counts.iter().enumerate() {
            if matches!((count.min, count.max), (Some(min), Some(max)) if min > max) {
                let message = format!("value_counts has min above max at level {level}");
                self.add(specification, &["value_counts", &level.to_string()], message);
            }
        }
        if self.feature.value_counts.len() == 1 {
            let message = "value_counts is for lists within lists; for one level it is `value_count`".to_owned();
            self.add(specification, &["value_counts"], message);
        }
    }

    /// Bounds on means and shares, and a shape beside a count of values.
    fn balance(&mut self) {
        use FeatureType::{Bool, Float, Int, String};
        let specification = AnomalyType::InvalidSchemaSpecification;
        let feature_type = self.feature.feature_type;
        if let Some(mean) = self.feature.mean {
            if !matches!(feature_type, Int | Float | Bool) {
                self.add(
                    specification,
                    &["mean"],
                    format!("`mean` needs numbers or booleans, the type is `{feature_type}`"),
                );
            }
            if [mean.min, mean.max].into_iter().flatten().any(f64::is_nan) {
                self.add(specification, &["mean"], "a bound is not a number".to_owned());
            }
            if matches!((mean.min, mean.max), (Some(min), Some(max)) if min > max) {
                self.add(specification, &["mean"], "mean has min above max".to_owned());
            }
        }
        if !self.feature.shares.is_empty() && !matches!(feature_type, String | Bool) {
            self.add(
                specification,
                &["shares"],
                format!("`shares` needs text or booleans, the type is `{feature_type}`"),
            );
        }
        for (value, bounds) in &self.feature.shares {
            let outside = [bounds.min, bounds.max].into_iter().flatten().any(|share| !(0.0..=1.0).contains(&share));
            if outside || matches!((bounds.min, bounds.max), (Some(min), Some(max)) if min > max) {
                let message = format!("the share of `{value}` needs bounds from 0 to 1, min not above max");
                self.add(specification, &["shares", value], message);
            }
        }
        let counts = self.feature.value_count.is_some() || !self.feature.value_counts.is_empty();
        if self.feature.shape.is_some() && counts {
            self.add(specification, &["shape"], "`shape` and `value_count` exclude each other".to_owned());
        }
    }

    /// A comparator that cannot apply would stay silent for ever, so it is a mistake.
    fn comparators(&mut self, key: &str, comparators: &Comparators) {
        let specification = AnomalyType::InvalidSchemaSpecification;
        let feature_type = self.feature.feature_type;
        for (distance, threshold) in comparators.thresholds() {
            let path = [key, distance.name()];
            if !distance.applies_to(feature_type) {
                let fitting: Vec<String> = Distance::ALL
                    .into_iter()
                    .filter(|other| other.applies_to(feature_type))
                    .map(|other| format!("`{other}`"))
                    .collect();
                let message = format!("`{distance}` does not apply to the type `{feature_type}`");
                let hint = (!fitting.is_empty()).then(|| format!("use {}", fitting.join(", ")));
                self.add_hint(specification, &path, message, hint);
            }
            let highest = distance.max().unwrap_or(f64::MAX);
            if !(0.0..=highest).contains(&threshold) {
                let range = distance.max().map_or("from 0".to_owned(), |max| format!("from 0 to {max}"));
                self.add(specification, &path, format!("the threshold {threshold} of `{distance}` is not {range}"));
            }
        }
        let numbers = matches!(feature_type, FeatureType::Int | FeatureType::Float);
        if comparators.bins == Bins::EqualWidth && !numbers {
            self.add(specification, &[key, "bins"], format!("`bins` needs numbers, the type is `{feature_type}`"));
        }
        if comparators.thresholds().next().is_none() {
            self.add(specification, &[key], format!("`{key}` names no distance"));
        }
    }

    fn domain(&mut self, domain: &Domain) {
        use FeatureType as T;
        let invalid = AnomalyType::InvalidDomainSpecification;
        let feature_type = self.feature.feature_type;
        let kind = domain.name();
        let fits = match domain {
            Domain::Values(_) | Domain::Shared(_) => feature_type == T::String,
            Domain::Int { .. } => matches!(feature_type, T::Int | T::String),
            Domain::Float { .. } => matches!(feature_type, T::Float | T::String),
            Domain::Bool { .. } => matches!(feature_type, T::Int | T::Float | T::String | T::Bool),
            Domain::Time { .. } => matches!(feature_type, T::Int | T::String),
            Domain::Image { .. } => feature_type == T::Bytes,
        };
        if !fits {
            let message = format!("a domain of `{kind}` does not apply to the type `{feature_type}`");
            self.add(AnomalyType::DomainInvalidForType, &["domain", kind], message);
        }
        match domain {
            Domain::Values(values) => {
                if let Some(twice) = repeated(values) {
                    self.add(invalid, &["domain", kind], format!("the domain lists `{twice}` twice"));
                }
            }
            Domain::Shared(name) if !self.schema.domains.contains_key(name) => {
                let near = suggest(name, self.schema.domains.keys().map(String::as_str));
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("there is no domain `{name}` under `domains`");
                self.add_hint(invalid, &["domain", kind], message, hint);
            }
            Domain::Int { min: Some(min), max: Some(max) } if min > max => {
                self.add(invalid, &["domain", kind], format!("min {min} is above max {max}"));
            }
            Domain::Float { min: Some(min), max: Some(max), .. } if min > max => {
                self.add(invalid, &["domain", kind], format!("min {min} is above max {max}"));
            }
            Domain::Float { min, max, .. } if [min, max].into_iter().flatten().any(|bound| bound.is_nan()) => {
                self.add(invalid, &["domain", kind], "a bound is not a number".to_owned());
            }
            Domain::Bool { true_value, false_value } => self.bool_domain(true_value.as_deref(), false_value.as_deref()),
            Domain::Image { min_supported_fraction: Some(share), .. } if !(0.0..=1.0).contains(share) => {
                let message = format!("min_supported_fraction is {share}, outside 0 to 1");
                self.add(invalid, &["domain", kind, "min_supported_fraction"], message);
            }
            Domain::Time { format, unit } => self.time_domain(format.as_deref(), *unit),
            _ => {}
        }
    }

    fn bool_domain(&mut self, yes: Option<&str>, no: Option<&str>) {
        let invalid = AnomalyType::BoolTypeInvalidConfig;
        let text = self.feature.feature_type == FeatureType::String;
        let path = ["domain", "bool"];
        match (text, yes, no) {
            (true, Some(yes), Some(no)) if yes == no => {
                let message = format!("true_value and false_value are both `{yes}`");
                self.add(AnomalyType::InvalidDomainSpecification, &path, message);
            }
            (true, None, None) => {
                let message = "a domain of `bool` on text needs true_value or false_value".to_owned();
                self.add(invalid, &path, message);
            }
            (false, Some(_), _) | (false, _, Some(_)) => {
                let message = "a domain of `bool` has true_value and false_value on text only".to_owned();
                self.add(invalid, &path, message);
            }
            _ => {}
        }
    }

    fn time_domain(&mut self, format: Option<&str>, unit: Option<TimeUnit>) {
        let invalid = AnomalyType::InvalidDomainSpecification;
        let path = ["domain", "time"];
        match (self.feature.feature_type, format, unit) {
            (FeatureType::String, Some(format), None) => {
                if let Err(message) = TimePattern::new(format) {
                    self.add(invalid, &["domain", "time", "format"], message);
                }
            }
            (FeatureType::Int, None, Some(_)) => {}
            (FeatureType::Int, ..) => {
                self.add(
                    invalid,
                    &path,
                    "a domain of `time` on whole numbers needs a `unit` and no `format`".to_owned(),
                );
            }
            _ => self.add(invalid, &path, "a domain of `time` on text needs a `format` and no `unit`".to_owned()),
        }
    }

    fn add(&mut self, anomaly_type: AnomalyType, path: &[&str], message: String) {
        self.add_hint(anomaly_type, path, message, None);
    }

    fn add_hint(&mut self, anomaly_type: AnomalyType, path: &[&str], message: String, hint: Option<String>) {
        let mut full = vec!["features".to_owned(), self.name.to_owned()];
        full.extend(path.iter().map(|key| (*key).to_owned()));
        let message = format!("`{}`: {message}", self.name);
        self.found.push(Problem { feature: self.name.to_owned(), anomaly_type, path: full, message, hint });
    }
}

fn repeated(values: &[String]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    values.iter().find(|value| !seen.insert(value.as_str())).map(String::as_str)
}
