//! Feature sets: features kept once, under a name and a version, and used by any number of pipelines.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::{Digest, ParamIssue, parse_params, suggest};
use tidemill_model::UsedSet;

use super::feature::{feature, fits_some_type};
use super::history::HistoryParams;
use crate::issues::{below, take};

/// Features under a name and a version. What a version holds never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// Digest of [`features`](Self::features), by [`FeatureSet::digest_of`].
    pub digest: Digest,
    /// Features by name, in order, as under `features` of a `Transform` step.
    pub features: Map<String, Value>,
    /// By feature: where it stands (`features/taxi_features@2.yaml:5:3`), for messages.
    pub places: BTreeMap<String, String>,
}

impl FeatureSet {
    /// The digest of features: of their names, order and steps; how they are written does not count.
    pub fn digest_of(features: &Map<String, Value>) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"tidemill feature set v1\n");
        hasher.update(Value::Object(features.clone()).to_string().as_bytes());
        Digest::from_bytes(hasher.finalize().as_bytes())
    }

    /// Everything wrong with features that can be known without data and without a label, each issue at its place below the
    /// feature's name.
    pub fn check(features: &Map<String, Value>) -> Vec<ParamIssue> {
        // The column of times is named by the pipeline that uses the set.
        let history = HistoryParams::any();
        let mut issues = Vec::new();
        for (name, value) in features {
            let read = feature(name, value, Some(&history)).and_then(|feature| fits_some_type(&feature));
            take(read.map_err(|issues| below(&[name.as_str()], issues)), &mut issues);
        }
        issues
    }
}

/// As a pipeline file names it: `taxi_features@2`.
impl fmt::Display for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Where feature sets are kept.
pub trait FeatureSets: fmt::Debug + Send + Sync {
    /// The set that `reference` means: `taxi_features@2`. An issue without a path says why there is none.
    fn find(&self, reference: &str) -> Result<FeatureSet, ParamIssue>;
}

/// No feature sets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoSets;

impl FeatureSets for NoSets {
    fn find(&self, reference: &str) -> Result<FeatureSet, ParamIssue> {
        Err(ParamIssue::new(Vec::<String>::new(), format!("there are no feature sets here, so no `{reference}`")))
    }
}

/// A set, or some of its features; or several of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what is read by hand, to show every mistake at its place")]
pub(super) enum UseParams {
    /// All features of one set.
    One(UseOne),
    /// Those of several sets.
    Several(Vec<UseOne>),
}

/// A set, or some of its features.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "see `UseParams`")]
pub(super) enum UseOne {
    /// `taxi_features@2`.
    All(String),
    /// Some of it.
    Some(UseSome),
}

/// Some features of a set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UseSome {
    /// The set with its version: `taxi_features@2`.
    set: String,
    /// Only these of its features.
    only: Option<Vec<String>>,
    /// All of its features but these.
    without: Option<Vec<String>>,
}

/// A set as a pipeline uses it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetInUse {
    /// For the record.
    pub(crate) used: UsedSet,
    /// Where in the step it is used.
    path: Vec<String>,
    /// Its features that are used.
    pub(super) features: Map<String, Value>,
    /// Where they stand.
    places: BTreeMap<String, String>,
}

impl SetInUse {
    /// `issue`, which is about its feature `name` or a part of it, at the place where the set is used.
    pub(super) fn placed(&self, name: &str, issue: ParamIssue) -> ParamIssue {
        let below = issue.path.join(".");
        let part = if below.is_empty() { String::new() } else { format!(", `{below}`") };
        let message = format!("feature `{name}` of `{}`{}{part}: {}", self.used, self.stands(name), issue.message);
        ParamIssue { path: self.path.clone(), message, hint: issue.hint }
    }

    fn stands(&self, name: &str) -> String {
        self.places.get(name).map_or_else(String::new, |place| format!(" ({place})"))
    }

    /// The place of an error about the feature at `path` in the step, if it is one of this set; and where the feature stands.
    fn place_of(&self, path: &[String]) -> Option<(Vec<String>, String)> {
        let [features, name, ..] = path else { return None };
        (features == "features" && self.features.contains_key(name))
            .then(|| (self.path.clone(), format!("`{}`{}", self.used, self.stands(name))))
    }
}

/// The place of an error and its message; for a feature of a set, where the set is used, and where the feature stands.
pub(crate) fn relocate(sets: &[SetInUse], path: Vec<String>, message: String) -> (Vec<String>, String) {
    match sets.iter().find_map(|set| set.place_of(&path)) {
        Some((path, stands)) => (path, format!("{message}; it comes from {stands}")),
        None => (path, message),
    }
}

/// The sets that a step uses, in their order.
pub(super) fn in_use(params: Option<&Value>, sets: &dyn FeatureSets) -> Result<Vec<SetInUse>, Vec<ParamIssue>> {
    let list: Vec<(Vec<String>, &Value)> = match params {
        None => Vec::new(),
        Some(Value::Array(items)) => {
            items.iter().enumerate().map(|(at, item)| (vec!["use".to_owned(), at.to_string()], item)).collect()
        }
        Some(one) => vec![(vec!["use".to_owned()], one)],
    };
    let (mut found, mut issues) = (Vec::<SetInUse>::new(), Vec::new());
    for (path, value) in list {
        let place: Vec<&str> = path.iter().map(String::as_str).collect();
        let set = one(value, sets).map_err(|issues| below(&place, issues));
        let Some((set, features)) = take(set, &mut issues) else { continue };
        if let Some(other) = found.iter().find(|other| other.used.name == set.name) {
            let message = if other.used.version == set.version {
                format!("`{set}` is used twice")
            } else {
                format!("`{set}` is used beside `{}`: two versions of one set", other.used)
            };
            issues.push(ParamIssue::new(path, message));
            continue;
        }
        let (name, version, digest) = (set.name, set.version, set.digest);
        let used = UsedSet { name, version, digest, features: features.keys().cloned().collect() };
        found.push(SetInUse { used, path, features, places: set.places });
    }
    clashes(&found, &mut issues);
    if issues.is_empty() { Ok(found) } else { Err(issues) }
}

/// Two sets with a feature of one name.
fn clashes(sets: &[SetInUse], issues: &mut Vec<ParamIssue>) {
    let mut first: HashMap<&str, &SetInUse> = HashMap::new();
    for set in sets {
        for name in set.features.keys() {
            let Some(other) = first.insert(name, set) else { continue };
            let message = format!("`{}` has a feature `{name}`, and so has `{}`", set.used, other.used);
            issues.push(ParamIssue::new(set.path.clone(), message).with_hint(leave_out(&set.used, name)));
        }
    }
}

/// Refuses a feature of the step itself that is called as one of a set.
pub(super) fn own(name: &str, sets: &[SetInUse]) -> Result<(), Vec<ParamIssue>> {
    let Some(set) = sets.iter().find(|set| set.features.contains_key(name)) else { return Ok(()) };
    let issue = ParamIssue::new(Vec::<String>::new(), format!("`{}` has a feature `{name}` already", set.used));
    Err(vec![issue.with_hint(format!("call it otherwise, or {}", leave_out(&set.used, name)))])
}

fn leave_out(set: &UsedSet, name: &str) -> String {
    format!("leave that of the set out: `use: {{ set: {set}, without: [{name}] }}`")
}

/// A set and those of its features that are used; issues are relative to `value`.
fn one(value: &Value, sets: &dyn FeatureSets) -> Result<(FeatureSet, Map<String, Value>), Vec<ParamIssue>> {
    if let Value::String(reference) = value {
        let set = sets.find(reference).map_err(|issue| vec![issue])?;
        let features = set.features.clone();
        return Ok((set, features));
    }
    if !value.is_object() {
        let issue = ParamIssue::new(Vec::<String>::new(), "a feature set is named `NAME@VERSION`");
        return Err(vec![issue.with_hint("for example `use: taxi_features@2`, or a list of such")]);
    }
    let UseSome { set: reference, only, without } = parse_params(value)?;
    let set = sets.find(&reference).map_err(|issue| below(&["set"], vec![issue]))?;
    let mut issues = Vec::new();
    for (key, names) in [("only", &only), ("without", &without)] {
        for (at, name) in names.iter().flatten().enumerate() {
            if !set.features.contains_key(name) {
                let issue =
                    ParamIssue::new([key.to_owned(), at.to_string()], format!("`{set}` has no feature `{name}`"));
                issues.push(match suggest(name, set.features.keys().map(String::as_str)) {
                    Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
                    None => issue,
                });
            }
        }
    }
    let wanted = |name: &String| {
        only.as_ref().is_none_or(|only| only.contains(name)) && !without.iter().flatten().any(|other| other == name)
    };
    let features: Map<String, Value> = set
        .features
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if features.is_empty() && issues.is_empty() {
        issues.push(ParamIssue::new(Vec::<String>::new(), format!("no feature of `{set}` is left")));
    }
    if issues.is_empty() { Ok((set, features)) } else { Err(issues) }
}
