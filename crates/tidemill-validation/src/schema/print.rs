//! The text of `schema.yaml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidemill_core::{
    Bins, Bounds, Comparators, DatasetConstraints, Domain, Feature, FractionBounds, InvalidEntry, Schema, UniqueCount,
    ValueCount,
};

use super::hints::Offer;

/// An entry that fits this many columns stands on one line.
const WIDTH: usize = 120;

const HEAD: &str = "\
# What the data should look like. Inferred once from the training data; now it is yours: read it, correct it, commit it.
#
#   type             int, float, string, bool or bytes
#   presence         min_fraction: 1 means never missing; min_count: so many values at least; tolerance: a shortfall up to
#                    this share is only a warning
#   domain           what is allowed: { values: [...] }, { int: { min, max } }, { float: { min, max } }, { bool: {} },
#                    { time: { format: '%Y-%m-%d' } }, or { shared: NAME } of the lists under `domains`
#   min_domain_mass  share of values that must lie in the domain; a smaller share outside it is only a warning
#   drift            how far the values may lie from those of the data before, by distance: jensen_shannon,
#                    population_stability_index, kolmogorov_smirnov and wasserstein for numbers; jensen_shannon,
#                    population_stability_index, l_infinity and normalized_absolute_difference for text
#   skew             the same for training data against serving data
#
# Validation holds every split against this file; what breaks it stops the run before training.
";

/// The schema as YAML: comments at the top, one entry for each feature, the same bytes for the same schema.
///
/// [`parse_schema`](crate::parse_schema) reads it back to an equal schema.
pub fn schema_yaml(schema: &Schema) -> String {
    inferred_yaml(schema, &BTreeMap::new())
}

/// The schema as [`schema_yaml`] has it, with what values seem to be as a comment above each feature.
pub fn inferred_yaml(schema: &Schema, offers: &BTreeMap<String, Offer>) -> String {
    let mut out = String::from(HEAD);
    let _ = writeln!(out, "version: {}", schema.version);
    if !schema.environments.is_empty() {
        let _ = writeln!(out, "environments: {}", flow_list(&schema.environments));
    }
    if let Some(dataset) = &schema.dataset {
        let _ = writeln!(out, "dataset: {}", dataset_constraints(dataset));
    }
    if !schema.severity.is_empty() {
        out.push_str("severity:\n");
        for (anomaly_type, severity) in &schema.severity {
            let _ = writeln!(out, "  {anomaly_type}: {severity}");
        }
    }
    for (name, entries) in &schema.invalid {
        section(&mut out, "invalid", name == first(&schema.invalid));
        let entry =
            |entry: &InvalidEntry| format!("{{ type: {}, message: {} }}", entry.anomaly_type, scalar(&entry.message));
        let entries: Vec<String> = entries.iter().map(entry).collect();
        let _ = writeln!(out, "  {}: [{}]", scalar(name), entries.join(", "));
    }
    for (name, sparse) in &schema.sparse_features {
        section(&mut out, "sparse_features", name == first(&schema.sparse_features));
        let mut fields =
            vec![format!("index: {}", flow_list(&sparse.index)), format!("value: {}", scalar(&sparse.value))];
        fields.extend(sparse.lifecycle.map(|stage| format!("lifecycle: {}", stage.name())));
        let _ = writeln!(out, "  {}: {}", scalar(name), flow_fields(&fields));
    }
    for (name, weighted) in &schema.weighted_features {
        section(&mut out, "weighted_features", name == first(&schema.weighted_features));
        let mut fields =
            vec![format!("value: {}", scalar(&weighted.value)), format!("weight: {}", scalar(&weighted.weight))];
        fields.extend(weighted.lifecycle.map(|stage| format!("lifecycle: {}", stage.name())));
        let _ = writeln!(out, "  {}: {}", scalar(name), flow_fields(&fields));
    }
    out.push_str(if schema.features.is_empty() { "\nfeatures: {}\n" } else { "\nfeatures:\n" });
    for (name, feature) in &schema.features {
        if let Some(Offer { semantic, reason }) = offers.get(name) {
            let _ = writeln!(out, "  # offered: semantic: {} ({reason})", semantic.name());
        }
        print_feature(&mut out, name, feature);
    }
    if !schema.domains.is_empty() {
        out.push_str("\ndomains:\n");
        for (name, values) in &schema.domains {
            print_list(&mut out, "  ", name, values);
        }
    }
    out
}

fn first<T>(map: &BTreeMap<String, T>) -> &str {
    map.keys().next().map_or("", String::as_str)
}

/// The head of a map, before its first entry.
fn section(out: &mut String, name: &str, begins: bool) {
    if begins {
        let _ = writeln!(out, "{name}:");
    }
}

/// An entry of `features`, indented by two.
pub(super) fn print_feature(out: &mut String, name: &str, feature: &Feature) {
    let parts = parts(feature);
    let text_list = match &feature.domain {
        Some(Domain::Values(values)) => Some(values),
        _ => None,
    };
    let flow = |extra: Option<String>| {
        let joined: Vec<String> = parts.iter().map(|(key, value)| format!("{key}: {value}")).chain(extra).collect();
        format!("  {}: {{ {} }}\n", scalar(name), joined.join(", "))
    };
    let line = flow(text_list.map(|values| format!("domain: {{ values: {} }}", flow_list(values))));
    if line.chars().count() <= WIDTH {
        out.push_str(&line);
        return;
    }
    let _ = writeln!(out, "  {}:", scalar(name));
    for (key, value) in &parts {
        let _ = writeln!(out, "    {key}: {value}");
    }
    if let Some(values) = text_list {
        out.push_str("    domain:\n");
        print_list(out, "      ", "values", values);
    }
}

/// Every part of an entry but a list of strings, as key and flow text.
fn parts(feature: &Feature) -> Vec<(&'static str, String)> {
    let mut parts = vec![("type", feature.feature_type.name().to_owned())];
    if !feature.presence.is_default() {
        let fields = [
            feature.presence.min_fraction.map(|fraction| format!("min_fraction: {}", number(fraction))),
            feature.presence.min_count.map(|count| format!("min_count: {count}")),
            feature.presence.tolerance.map(|share| format!("tolerance: {}", number(share))),
        ];
        parts.push(("presence", flow_map(fields)));
    }
    let count = |count: &ValueCount| {
        flow_map([count.min.map(|min| format!("min: {min}")), count.max.map(|max| format!("max: {max}"))])
    };
    if let Some(found) = &feature.value_count {
        parts.push(("value_count", count(found)));
    }
    if !feature.value_counts.is_empty() {
        let levels: Vec<String> = feature.value_counts.iter().map(count).collect();
        parts.push(("value_counts", format!("[{}]", levels.join(", "))));
    }
    if let Some(shape) = &feature.shape {
        let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
        parts.push(("shape", format!("[{}]", sizes.join(", "))));
    }
    if let Some(semantic) = feature.semantic {
        parts.push(("semantic", semantic.name().to_owned()));
    }
    if let Some(mass) = feature.min_domain_mass {
        parts.push(("min_domain_mass", number(mass)));
    }
    if let Some(UniqueCount { min, max }) = feature.unique {
        let fields = [min.map(|min| format!("min: {min}")), max.map(|max| format!("max: {max}"))];
        parts.push(("unique", flow_map(fields)));
    }
    if let Some(bounds) = feature.mean {
        parts.push(("mean", number_bounds(bounds)));
    }
    if !feature.shares.is_empty() {
        let fields: Vec<String> = feature
            .shares
            .iter()
            .map(|(value, bounds)| format!("{}: {}", scalar(value), number_bounds(*bounds)))
            .collect();
        parts.push(("shares", flow_fields(&fields)));
    }
    for (key, comparators) in [("drift", &feature.drift), ("skew", &feature.skew)] {
        if let Some(comparators) = comparators {
            parts.push((key, comparator_map(comparators)));
        }
    }
    if let Some(deriver) = &feature.derived_by {
        parts.push(("derived_by", scalar(deriver)));
    }
    if let Some(lifecycle) = feature.lifecycle {
        parts.push(("lifecycle", lifecycle.name().to_owned()));
    }
    for (key, names) in
        [("in_environment", &feature.in_environment), ("not_in_environment", &feature.not_in_environment)]
    {
        if !names.is_empty() {
            parts.push((key, flow_list(names)));
        }
    }
    match &feature.domain {
        Some(Domain::Shared(name)) => parts.push(("domain", format!("{{ shared: {} }}", scalar(name)))),
        Some(Domain::Int { min, max }) => {
            let fields = [min.map(|min| format!("min: {min}")), max.map(|max| format!("max: {max}"))];
            parts.push(("domain", format!("{{ int: {} }}", flow_map(fields))));
        }
        Some(Domain::Float { min, max, disallow_nan, disallow_inf }) => {
            let fields = [
                min.map(|min| format!("min: {}", number(min))),
                max.map(|max| format!("max: {}", number(max))),
                disallow_nan.then(|| "disallow_nan: true".to_owned()),
                disallow_inf.then(|| "disallow_inf: true".to_owned()),
            ];
            parts.push(("domain", format!("{{ float: {} }}", flow_map(fields))));
        }
        Some(Domain::Bool { true_value, false_value }) => {
            let fields = [
                true_value.as_ref().map(|value| format!("true_value: {}", scalar(value))),
                false_value.as_ref().map(|value| format!("false_value: {}", scalar(value))),
            ];
            parts.push(("domain", format!("{{ bool: {} }}", flow_map(fields))));
        }
        Some(Domain::Image { min_supported_fraction, max_bytes }) => {
            let fields = [
                min_supported_fraction.map(|share| format!("min_supported_fraction: {}", number(share))),
                max_bytes.map(|bytes| format!("max_bytes: {bytes}")),
            ];
            parts.push(("domain", format!("{{ image: {} }}", flow_map(fields))));
        }
        Some(Domain::Time { format, unit }) => {
            let fields = [
                format.as_ref().map(|format| format!("format: {}", scalar(format))),
                unit.map(|unit| format!("unit: {}", unit.name())),
            ];
            parts.push(("domain", format!("{{ time: {} }}", flow_map(fields))));
        }
        Some(Domain::Values(_)) | None => {}
    }
    if !feature.severity.is_empty() {
        let fields: Vec<String> =
            feature.severity.iter().map(|(kind, severity)| format!("{kind}: {severity}")).collect();
        parts.push(("severity", flow_fields(&fields)));
    }
    parts
}

fn comparator_map(comparators: &Comparators) -> String {
    let mut fields: Vec<String> =
        comparators.thresholds().map(|(distance, threshold)| format!("{distance}: {}", number(threshold))).collect();
    if comparators.bins == Bins::EqualWidth {
        fields.push("bins: equal_width".to_owned());
    }
    flow_fields(&fields)
}

fn dataset_constraints(dataset: &DatasetConstraints) -> String {
    flow_map([
        dataset.min_examples.map(|min| format!("min_examples: {min}")),
        dataset.max_examples.map(|max| format!("max_examples: {max}")),
        dataset.num_examples_drift.map(|bounds| format!("num_examples_drift: {}", fraction_bounds(bounds))),
        dataset.num_examples_version.map(|bounds| format!("num_examples_version: {}", fraction_bounds(bounds))),
    ])
}

fn fraction_bounds(bounds: FractionBounds) -> String {
    flow_map([
        bounds.min_fraction.map(|min| format!("min_fraction: {}", number(min))),
        bounds.max_fraction.map(|max| format!("max_fraction: {}", number(max))),
    ])
}

fn number_bounds(bounds: Bounds) -> String {
    flow_map([
        bounds.min.map(|min| format!("min: {}", number(min))),
        bounds.max.map(|max| format!("max: {}", number(max))),
    ])
}

fn print_list(out: &mut String, indent: &str, key: &str, values: &[String]) {
    if values.is_empty() {
        let _ = writeln!(out, "{indent}{}: []", scalar(key));
        return;
    }
    let _ = writeln!(out, "{indent}{}:", scalar(key));
    for value in values {
        let _ = writeln!(out, "{indent}  - {}", scalar(value));
    }
}

fn flow_list(values: &[String]) -> String {
    let items: Vec<String> = values.iter().map(|value| scalar(value)).collect();
    format!("[{}]", items.join(", "))
}

fn flow_map<const N: usize>(fields: [Option<String>; N]) -> String {
    flow_fields(&fields.into_iter().flatten().collect::<Vec<_>>())
}

fn flow_fields(fields: &[String]) -> String {
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// A number in the shortest form that reads back as the same one.
pub(super) fn number(x: f64) -> String {
    if x.is_infinite() {
        return if x > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    let size = x.abs();
    if size == 0.0 || (1e-5..1e15).contains(&size) { format!("{x}") } else { format!("{x:e}") }
}

/// A string, plain where no reader could take it for anything else, else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    const RESERVED: [&str; 13] =
        ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan", "infinity", "none"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_alphanumeric() || " _-./&()+".contains(c))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { double_quoted(text) }
}

/// A string in double quotes, with everything escaped that YAML does not print as it is.
fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
