//! The component that provides the schema: curated if there is one, else inferred.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, DatasetStatistics, Digest, ExternalInput, Gate,
    InputSpec, Outcome, OutputSpec, ParamIssue, Schema, SplitStatistics, StepContext, parse_params, suggest,
};
use tidemill_data::inferred_types_mark;
use tidemill_files::FileError;

use crate::schema::{
    Offer, SchemaError, infer_schema, inferred_yaml, is_pbtxt, parse_by_name, parse_written_schema, read_text,
    schema_to_pbtxt, schema_yaml, semantic_offers,
};
use crate::statistics_gen::read_statistics;

/// The only file of a schema artifact.
const FILE: &str = "schema.yaml";
/// The split a schema is inferred from unless others are named.
const TRAIN: &str = "train";

/// Provides the schema: the file named if it exists, else one inferred from the statistics and written there for
/// curation.
///
/// ```yaml
/// component: SchemaGen
/// file: schema.yaml       # or schema.pbtxt; absent: infer each time
/// splits: [train]         # what to infer from; the default is `train` if there is one, else every split
/// ```
///
/// The artifact is one file, `schema.yaml`, without the comments of the curated one: rewording a comment makes no
/// step below run again.
#[derive(Debug, Clone, Copy, Default)]
pub struct SchemaGen;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The curated schema, relative to the pipeline file. Read if it exists, else written once.
    #[serde(default)]
    file: Option<PathBuf>,
    /// The splits to infer from. Default: `train` if there is one, else all.
    #[serde(default)]
    splits: Option<Vec<String>>,
}

impl Component for SchemaGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "SchemaGen".into(),
            version: 1,
            about: "Reads the curated schema, or infers one from the statistics and writes it for curation".into(),
            inputs: vec![InputSpec::required("statistics", ArtifactType::Statistics)],
            outputs: vec![OutputSpec::new("schema", ArtifactType::Schema)],
            gate: Gate::Open,
            writes_back: true,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let params = match parse_params::<Params>(params) {
            Ok(params) => params,
            Err(issues) => return issues,
        };
        if params.splits.is_some_and(|splits| splits.is_empty()) {
            return vec![ParamIssue::new(["splits"], "a schema is inferred from at least one split")];
        }
        Vec::new()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let Some(file) = parse_params::<Params>(params)?.file else { return Ok(Vec::new()) };
        let path = project_dir.join(&file);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let digest = Digest::from_bytes(blake3::hash(&bytes).as_bytes());
                Ok(vec![ExternalInput { name: file.display().to_string(), digest }])
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(SchemaError::Io { file, action: "read", source }.into()),
        }
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = parse_params::<Params>(context.params)?;
        let curated = params.file.as_ref().map(|file| (file, context.project_dir.join(file)));
        let mut warnings = Vec::new();
        let (schema, headline) = match curated {
            Some((file, path)) if path.exists() => {
                let text = std::fs::read_to_string(&path).map_err(|source| SchemaError::Io {
                    file: file.clone(),
                    action: "read",
                    source,
                })?;
                let (schema, notes) = parse_by_name(&text, file)?;
                warnings = notes.into_iter().map(|note| format!("`{}`: {note}", file.display())).collect();
                let headline = format!("{} features, from `{}`", schema.features.len(), file.display());
                (schema, headline)
            }
            curated => {
                let (schema, offers, from) = infer(context, params.splits.as_deref())?;
                let mut headline = format!("{} features, inferred from {from}", schema.features.len());
                if let Some((file, path)) = curated {
                    let text = if is_pbtxt(file) {
                        let (text, notes) = schema_to_pbtxt(&schema);
                        warnings = notes;
                        text
                    } else {
                        let types = schema.features.iter().map(|(name, feature)| (name.as_str(), feature.feature_type));
                        format!("{}\n{}\n", inferred_yaml(&schema, &offers), inferred_types_mark(types))
                    };
                    write_curated(&path, &text, file)?;
                    headline = format!("{headline}, for you to curate in `{}`", file.display());
                }
                (schema, headline)
            }
        };
        let output = context.output("schema").join(FILE);
        std::fs::write(&output, schema_yaml(&schema)).map_err(|source| SchemaError::Io {
            file: output.clone(),
            action: "write",
            source,
        })?;
        let properties = [("features".to_owned(), json!(schema.features.len()))].into();
        Ok(Outcome { properties: [("schema".to_owned(), properties)].into(), headline, warnings, ..Outcome::default() })
    }
}

/// The schema in the artifact folder `dir`.
pub fn read_schema_artifact(dir: &Path) -> Result<Schema, SchemaError> {
    let path = dir.join(FILE);
    parse_written_schema(&read_text(&path)?, &path)
}

/// A schema from the statistics of the splits named, with what its features seem to be and the names of the splits for a person.
fn infer(
    context: &StepContext<'_>,
    named: Option<&[String]>,
) -> Result<(Schema, BTreeMap<String, Offer>, String), ComponentError> {
    let all = read_statistics(&context.input("statistics")?.path)?;
    let names: Vec<&str> = match named {
        Some(named) => named.iter().map(String::as_str).collect(),
        None if all.splits.contains_key(TRAIN) => vec![TRAIN],
        None => all.splits.keys().map(String::as_str).collect(),
    };
    let chosen = names.iter().map(|name| split(&all, name)).collect::<Result<Vec<_>, _>>()?;
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    Ok((infer_schema(&chosen), semantic_offers(&chosen), quoted.join(", ")))
}

/// The statistics of the split `name`, or an error that lists the splits there are.
pub(crate) fn split<'a>(all: &'a SplitStatistics, name: &str) -> Result<&'a DatasetStatistics, ComponentError> {
    all.splits.get(name).ok_or_else(|| {
        let known: Vec<String> = all.splits.keys().map(|known| format!("`{known}`")).collect();
        let message = format!("splits: there is no split `{name}`; there are {}", known.join(", "));
        let error = ComponentError::new(Code::Params, message);
        match suggest(name, all.splits.keys().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// Writes the file that the user curates; `shown` is its name in the error.
fn write_curated(path: &Path, text: &str, shown: &Path) -> Result<(), SchemaError> {
    let failed =
        |error: FileError| SchemaError::Io { file: shown.to_owned(), action: "write", source: error.into_io() };
    tidemill_files::create_parent(path).map_err(failed)?;
    tidemill_files::write(path, text).map_err(failed)
}
