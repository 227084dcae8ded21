//! What is wrong with a schema in itself, whatever the data.

use std::collections::BTreeSet;

use tidemill_core::{
    AnomalyType, Bins, Comparators, DatasetConstraints, Distance, Domain, Feature, FeatureType, Schema, suggest,
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
    let Some(bounds) = dataset.num_examples_drift else { return };
    for (key, value) in [("min_fraction", bounds.min_fraction), ("max_fraction", bounds.max_fraction)] {
        if value.is_some_and(|value| !(value >= 0.0 && value.is_finite())) {
            add(&["num_examples_drift", key], format!("{key} is no fraction: a number from 0 is expected"));
        }
    }
    if let (Some(min), Some(max)) = (bounds.min_fraction, bounds.max_fraction)
        && min > max
    {
        add(&["num_examples_drift"], format!("min_fraction {min} is above max_fraction {max}"));
    }
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
        let is_text_domain = matches!(self.feature.domain, Some(Domain::Values(_) | Domain::Shared(_)));
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
            if self.feature.feature_type != FeatureType::String {
                let message = format!("`unique` needs text, the type is `{}`", self.feature.feature_type);
                self.add(specification, &["unique"], message);
            }
            if matches!((unique.min, unique.max), (Some(min), Some(max)) if min > max) {
                self.add(specification, &["unique"], "unique has min above max".to_owned());
            }
        }
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
        if let Some(count) = self.feature.value_count
            && matches!((count.min, count.max), (Some(min), Some(max)) if min > max)
        {
            self.add(specification, &["value_count"], "value_count has min above max".to_owned());
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
        let invalid = AnomalyType::InvalidDomainSpecification;
        let feature_type = self.feature.feature_type;
        let (kind, fits) = match domain {
            Domain::Values(_) => ("values", feature_type == FeatureType::String),
            Domain::Shared(_) => ("shared", feature_type == FeatureType::String),
            Domain::Int { .. } => ("int", matches!(feature_type, FeatureType::Int | FeatureType::String)),
            Domain::Float { .. } => ("float", matches!(feature_type, FeatureType::Float | FeatureType::String)),
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
            _ => {}
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
