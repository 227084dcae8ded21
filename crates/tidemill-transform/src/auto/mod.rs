//! `features: auto` and names with `*`: features that are known once the columns are.

mod leak;
mod profile;

use arrow::datatypes::{DataType as ArrowType, Schema as ArrowSchema};
use tidemill_core::calendar::DatePart;
use tidemill_core::{CancelFlag, DataType, RowShape};
use tidemill_model::{Source, input_kind, steps as fitted};

use crate::config::{AUTO, AutoConfig, FeatureConfig, Open, Pattern, TransformConfig};
use crate::error::TransformError;
use crate::fit::{FitOptions, check_label_columns};
use crate::rows::SplitSource;
use crate::serving::check_serving;
use crate::steps::{Choice, OneHot, Step, Vocabulary};
use leak::Leak;
use profile::{Profile, SAMPLE_ROWS, sampled};

/// Text of up to so many different values gets a column for each.
const ONE_HOT_MAX: usize = 20;
/// Values of longer lists get a code, at most so many.
const VOCABULARY_MAX: u64 = 1000;
/// Fewer rows do not show whether a column names its rows.
const UNIQUE_ROWS_MIN: u64 = 20;

/// What was decided about a column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ColumnChoice {
    /// The column.
    pub column: String,
    /// Whether features are made of it.
    pub used: bool,
    /// The steps, or why it was left out.
    pub why: String,
}

/// A configuration in which every feature is named, and what was decided on the way.
pub(crate) struct Resolved {
    pub(crate) config: TransformConfig,
    pub(crate) choices: Vec<ColumnChoice>,
    pub(crate) warnings: Vec<String>,
}

/// Names the features that stand for several columns. The rows of the split `options.split` decide what `auto` does.
pub(crate) fn resolve(
    config: &TransformConfig,
    rows: &dyn SplitSource,
    options: &FitOptions<'_>,
) -> Result<Resolved, TransformError> {
    if config.open.is_empty() {
        let (choices, warnings) = (Vec::new(), Vec::new());
        return Ok(Resolved { config: config.clone(), choices, warnings });
    }
    check_label_columns(config, &config.label.parse()?.columns(), &rows.schema())?;
    let mut chooser = Chooser::new(config, rows, options)?;
    chooser.check_patterns()?;
    let mut features = Vec::with_capacity(config.features.len());
    let mut open = config.open.iter().peekable();
    for at in 0..=config.features.len() {
        while let Some(entry) = open.next_if(|entry| entry.at == at) {
            features.extend(match &entry.kind {
                Open::Pattern(pattern, steps) => chooser.of_pattern(pattern, steps),
                Open::Auto(auto) => chooser.of_auto(auto)?,
            });
        }
        features.extend(config.features.get(at).cloned());
    }
    if features.is_empty() {
        return Err(TransformError::NothingChosen { columns: chooser.choices.len() });
    }
    Ok(Resolved { config: config.with_resolved(features), choices: chooser.choices, warnings: chooser.warnings })
}

/// What `features: auto` of a configuration makes of the columns of `rows`, and what is worth knowing about them.
pub fn choose_features(
    config: &TransformConfig,
    rows: &dyn SplitSource,
    options: &FitOptions<'_>,
) -> Result<(Vec<ColumnChoice>, Vec<String>), TransformError> {
    let mut chooser = Chooser::new(config, rows, options)?;
    for entry in &config.open {
        if let Open::Auto(auto) = &entry.kind {
            chooser.of_auto(auto)?;
        }
    }
    Ok((chooser.choices, chooser.warnings))
}

struct Chooser<'a> {
    config: &'a TransformConfig,
    rows: &'a dyn SplitSource,
    options: &'a FitOptions<'a>,
    schema: arrow::datatypes::SchemaRef,
    /// The columns that the label is about.
    targets: Vec<String>,
    /// The columns that have a feature by name or by pattern.
    taken: Vec<String>,
    choices: Vec<ColumnChoice>,
    warnings: Vec<String>,
}

impl<'a> Chooser<'a> {
    fn new(
        config: &'a TransformConfig,
        rows: &'a dyn SplitSource,
        options: &'a FitOptions<'a>,
    ) -> Result<Self, TransformError> {
        let schema = rows.schema();
        let mut targets = config.label.targets()?;
        targets.push(config.label.name.clone());
        let mut taken: Vec<String> = config.features.iter().map(|feature| feature.name.clone()).collect();
        for entry in &config.open {
            if let Open::Pattern(pattern, _) = &entry.kind {
                taken.extend(names(&schema).filter(|name| pattern.matches(name)).map(str::to_owned));
            }
        }
        Ok(Self { config, rows, options, schema, targets, taken, choices: Vec::new(), warnings: Vec::new() })
    }

    /// Refuses names and patterns that no column has.
    fn check_patterns(&self) -> Result<(), TransformError> {
        match unmatched(self.config, &self.schema).into_iter().next() {
            Some((place, pattern)) => Err(no_match(place, &pattern, &self.schema)),
            None => Ok(()),
        }
    }

    fn is_about_label(&self, column: &str) -> bool {
        self.targets.iter().any(|target| target == column)
    }

    /// The features of a pattern: those of the first pattern that a column matches, unless it has a feature by name.
    fn of_pattern(&mut self, pattern: &Pattern, steps: &[Step]) -> Vec<FeatureConfig> {
        let named = |name: &str| self.config.features.iter().any(|feature| feature.name == name);
        let earlier = |name: &str| {
            let patterns = self.config.open.iter().filter_map(|entry| match &entry.kind {
                Open::Pattern(other, _) => Some(other),
                Open::Auto(_) => None,
            });
            patterns.take_while(|other| *other != pattern).any(|other| other.matches(name))
        };
        let mut features = Vec::new();
        for name in names(&self.schema).filter(|name| pattern.matches(name)) {
            if self.is_about_label(name) {
                let why = format!("the label `{}` is about it", self.config.label.name);
                self.choices.push(ColumnChoice { column: name.to_owned(), used: false, why });
            } else if !named(name) && !earlier(name) {
                features.push(feature(name, name, steps.to_vec()));
            }
        }
        features
    }

    /// The features that are chosen by what the train split holds.
    fn of_auto(&mut self, auto: &AutoConfig) -> Result<Vec<FeatureConfig>, TransformError> {
        let columns: Vec<String> = names(&self.schema)
            .filter(|name| !self.taken.iter().any(|taken| taken == name))
            .filter(|name| auto.only.is_empty() || auto.only.iter().any(|pattern| pattern.matches(name)))
            .map(str::to_owned)
            .collect();
        let profiles = self.profile(&columns)?;
        let mut features: Vec<FeatureConfig> = Vec::new();
        for (column, profile) in columns.iter().zip(&profiles) {
            let is_wanted = auto.only.iter().any(|pattern| pattern.0 == *column);
            let decided = match self.reason_against(column, profile, auto, is_wanted) {
                Some(why) => Err(why),
                None => self.features_of(column, profile, auto),
            };
            let choice = |used: bool, why: String| ColumnChoice { column: column.clone(), used, why };
            match decided {
                Ok((made, why)) => {
                    features.extend(made);
                    self.choices.push(choice(true, why));
                }
                Err(why) => self.choices.push(choice(false, why)),
            }
        }
        Ok(features)
    }

    /// Reads the train split once.
    fn profile(&self, columns: &[String]) -> Result<Vec<Profile>, TransformError> {
        let splits = self.rows.splits();
        let rows = splits.iter().find(|(name, _)| name == self.options.split).map_or(0, |(_, rows)| *rows);
        let stride = rows.div_ceil(SAMPLE_ROWS).max(1);
        self.options.progress.phase("choosing features");
        self.options.progress.total_rows(rows);
        let mut profiles: Vec<Profile> = columns.iter().map(|_| Profile::new()).collect();
        let mut read: Vec<String> = columns.to_vec();
        for column in self.config.label.parse()?.columns() {
            if !read.contains(&column) {
                read.push(column);
            }
        }
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        let mut labels = None;
        let mut first_row = 0;
        for batch in self.rows.read(self.options.split, &read)? {
            if self.options.cancel.is_some_and(CancelFlag::is_set) {
                return Err(TransformError::Canceled);
            }
            let batch = batch?;
            let bound = match &mut labels {
                Some(bound) => bound,
                none => none.insert(self.config.label.bind(batch.schema_ref())?),
            };
            let values = bound.codes(&batch)?;
            let sampled = sampled(&batch, first_row, stride, &values);
            for (column, profile) in columns.iter().zip(&mut profiles) {
                if let Some(array) = batch.column_by_name(column) {
                    profile.update(array, &sampled);
                }
            }
            first_row += batch.num_rows() as u64;
            self.options.progress.advance(batch.num_rows() as u64);
        }
        Ok(profiles)
    }

    /// Why no feature is made of a column. `is_wanted`: the file names it, so only what makes a feature impossible counts.
    fn reason_against(
        &mut self,
        column: &str,
        profile: &Profile,
        auto: &AutoConfig,
        is_wanted: bool,
    ) -> Option<String> {
        let label = &self.config.label.name;
        if self.is_about_label(column) {
            return Some(format!("the label `{label}` is about it"));
        }
        if let Some(pattern) = auto.except.iter().find(|pattern| pattern.matches(column)) {
            return Some(format!("`except` names `{}`", pattern.0));
        }
        if check_serving(column, column, self.options.schema).is_err() {
            return Some("the schema does not expect it at serving".to_owned());
        }
        let datatype = self.schema.field_with_name(column).map(|field| field.data_type().clone());
        match datatype.as_ref().ok().and_then(input_kind) {
            _ if matches!(datatype, Ok(ArrowType::Null)) => return Some("it has no value".to_owned()),
            Some((_, RowShape::Value)) => {}
            Some((_, RowShape::List)) => return Some("it holds lists".to_owned()),
            Some((_, RowShape::Binary)) => return Some("it holds bytes; `image` makes numbers of pictures".to_owned()),
            None => {
                let datatype = datatype.map_or_else(|error| error.to_string(), |datatype| datatype.to_string());
                return Some(format!("no feature is made of the type {datatype}"));
            }
        }
        if profile.values() == 0 {
            return Some("it has no value in the train split".to_owned());
        }
        if is_wanted {
            return None;
        }
        if profile.distinct() == Some(1) {
            return Some(match profile.missing {
                0 => "it never varies".to_owned(),
                missing => format!("it has one value, and {missing} are missing"),
            });
        }
        if let Some(why) = identifier(column, profile) {
            return Some(why);
        }
        match leak::leak(&profile.sample, profile.is_text) {
            Leak::No => None,
            Leak::Copy => Some(format!("it is the label `{label}` written in another way")),
            Leak::Decides(auc) => Some(format!("it alone decides the label `{label}` (AUC {auc:.4})")),
            Leak::Suspicious(auc) => {
                self.warnings.push(format!(
                    "column `{column}` alone nearly decides the label `{label}` (AUC {auc:.4}); if it is not known when predicting, write `features: {{ auto: {{ except: [{column}] }} }}`"
                ));
                None
            }
        }
    }

    /// The features of a column, and how they are made in a few words.
    fn features_of(
        &self,
        column: &str,
        profile: &Profile,
        auto: &AutoConfig,
    ) -> Result<(Vec<FeatureConfig>, String), String> {
        let datatype = self.schema.field_with_name(column).ok().and_then(|field| input_kind(field.data_type()));
        let one = |steps: Vec<Step>, why: String| Ok((vec![feature(column, column, steps)], why));
        let own = |steps: &Option<Vec<Step>>| steps.clone();
        match datatype.map(|(datatype, _)| datatype) {
            Some(DataType::Bool) => match own(&auto.boolean) {
                Some(steps) => one(steps, "true and false, as `boolean` says".to_owned()),
                None => one(vec![Step::Numeric], "true and false".to_owned()),
            },
            Some(DataType::Bytes) if profile.is_date() => {
                if let Some(steps) = own(&auto.date) {
                    return one(steps, "dates, as `date` says".to_owned());
                }
                let parts: Vec<DatePart> = profile.varying_parts().collect();
                if parts.is_empty() {
                    return Err("it holds dates that never vary".to_owned());
                }
                let part = |part: &DatePart| {
                    let steps = vec![Step::Fixed(fitted::DatePart { part: *part }.into())];
                    feature(&format!("{column}_{part}"), column, steps)
                };
                let names: Vec<String> = parts.iter().map(ToString::to_string).collect();
                Ok((parts.iter().map(part).collect(), format!("dates: {}", names.join(", "))))
            }
            Some(DataType::Bytes) => {
                let values = profile.distinct().map_or_else(|| "many values".to_owned(), |n| format!("{n} values"));
                if let Some(steps) = own(&auto.text) {
                    return one(steps, format!("{values}, as `text` says"));
                }
                if profile.distinct().is_some_and(|distinct| distinct <= ONE_HOT_MAX) {
                    return one(vec![OneHot::default().into()], format!("one_hot, {values}"));
                }
                let choice = Choice {
                    top_k: Some(VOCABULARY_MAX),
                    frequency_threshold: Some(2),
                    oov_buckets: 1,
                    ..Choice::default()
                };
                one(vec![Vocabulary(choice).into()], format!("vocabulary, {values}"))
            }
            _ => match own(&auto.numeric) {
                Some(steps) => one(steps, "numbers, as `numeric` says".to_owned()),
                None => one(vec![Step::Numeric], "numbers".to_owned()),
            },
        }
    }
}

/// Why a column is taken for a name of its rows.
fn identifier(column: &str, profile: &Profile) -> Option<String> {
    let values = profile.values();
    if values < UNIQUE_ROWS_MIN || profile.is_date() {
        return None;
    }
    if profile.is_text {
        let example = profile.example.as_deref().unwrap_or_default();
        if profile.is_unique() && profile.is_prose() {
            return Some(format!(
                "it is free text; a step such as `{column}: [ tokenize, {{ tf_idf: {{ top_k: 100 }} }} ]` makes columns of it"
            ));
        }
        return profile
            .is_unique()
            .then(|| format!("it looks like an identifier: every value is different, such as `{example}`"));
    }
    let (min, max) = profile.range?;
    if !profile.is_unique() {
        return None;
    }
    // Numbers in a row, of which the train split has a part.
    let span = (i128::from(max) - i128::from(min) + 1) as f64;
    let is_dense = span <= 2.0 * values as f64;
    (is_dense || is_called_identifier(column))
        .then(|| format!("it looks like an identifier: every value from {min} to {max} is different"))
}

/// Whether a column is called like a key: `id`, `user_id`, `userId`, `row number`.
pub fn is_called_identifier(column: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut before_is_lower = false;
    for character in column.chars() {
        if character.is_alphanumeric() {
            if words.is_empty() || (character.is_uppercase() && before_is_lower) {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(character.to_lowercase());
            }
        } else {
            words.push(String::new());
        }
        before_is_lower = character.is_lowercase();
    }
    const NAMES: [&str; 8] = ["id", "key", "index", "uuid", "guid", "number", "no", "nr"];
    words.iter().rfind(|word| !word.is_empty()).is_some_and(|last| NAMES.contains(&last.as_str()))
}

fn feature(name: &str, column: &str, steps: Vec<Step>) -> FeatureConfig {
    FeatureConfig { name: name.to_owned(), source: Source::Column(column.to_owned()), constants: None, steps }
}

fn names(schema: &ArrowSchema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

/// The places and names of patterns that no column has.
pub(crate) fn unmatched(config: &TransformConfig, schema: &ArrowSchema) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let is_matched = |pattern: &Pattern| names(schema).any(|name| pattern.matches(name));
    for entry in &config.open {
        match &entry.kind {
            Open::Pattern(pattern, _) if !is_matched(pattern) => {
                found.push((vec!["features".to_owned(), pattern.0.clone()], pattern.0.clone()));
            }
            Open::Pattern(..) => {}
            Open::Auto(auto) => {
                for (key, patterns) in [("only", &auto.only), ("except", &auto.except)] {
                    for (at, pattern) in patterns.iter().enumerate().filter(|(_, pattern)| !is_matched(pattern)) {
                        let place = ["features", AUTO, key].map(str::to_owned).to_vec();
                        found.push(([place, vec![at.to_string()]].concat(), pattern.0.clone()));
                    }
                }
            }
        }
    }
    found
}

/// The error for a pattern that no column has.
pub(crate) fn no_match(place: Vec<String>, pattern: &str, schema: &ArrowSchema) -> TransformError {
    let near = tidemill_core::suggest(&pattern.replace(['*', '?'], ""), names(schema)).map(str::to_owned);
    TransformError::NoMatch { place, pattern: pattern.to_owned(), near }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        for name in ["id", "ID", "user_id", "userId", "PassengerId", "row number", "order no.", "customer-key"] {
            assert!(is_called_identifier(name), "{name}");
        }
        for name in ["paid", "grid", "identity", "idle", "number_of_rooms", "key rate"] {
            assert!(!is_called_identifier(name), "{name}");
        }
    }
}
