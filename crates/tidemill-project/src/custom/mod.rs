//! Custom components: a program with declared inputs, outputs and parameters, in a file of the project.
//!
//! ```text
//! components/
//!   PriceJoin.yaml     the declaration; the name of the file is that of the component
//!   price_join.py      what it runs
//! ```

mod declaration;
mod job;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::{
    Code, Component, ComponentError, ComponentSpec, Digest, ExternalInput, Failure, Gate, InputSpec, Outcome,
    OutputSpec, ParamIssue, StepContext,
};
use tidemill_pipeline::{Components, Document};

use self::declaration::{Declaration, check_value};

/// The folder of declarations in a project.
pub const FOLDER: &str = "components";

/// A component that a project declares.
#[derive(Debug, Clone)]
pub struct CustomComponent {
    name: String,
    /// The declaration, relative to the project.
    file: PathBuf,
    declaration: Declaration,
}

/// Reads every declaration of the project in `dir`, by name.
pub fn custom_components(dir: &Path) -> Result<Vec<CustomComponent>, Failure> {
    let entries = match std::fs::read_dir(dir.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Failure::io(&dir.join(FOLDER), &error)),
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files.iter().map(|path| CustomComponent::read(path)).collect()
}

impl CustomComponent {
    fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?;
        let invalid = |invalid| Failure::in_file(Code::PipelineFile, invalid);
        let document = Document::parse(path, &text).map_err(invalid)?;
        match Declaration::parse(&name, &document.value()) {
            Ok(declaration) => {
                let file = Path::new(FOLDER).join(path.file_name().unwrap_or_default());
                Ok(Self { name, file, declaration })
            }
            Err(issues) => Err(invalid(document.invalid(issues))),
        }
    }

    /// The files of the project that it consists of: the declaration and the code.
    fn files(&self, project_dir: &Path) -> Result<Vec<PathBuf>, ComponentError> {
        let mut files = vec![self.file.clone()];
        match &self.declaration.code {
            Some(code) => {
                for path in code {
                    add_files(project_dir, path, &mut files)?;
                }
            }
            None => {
                let named = self.declaration.run.iter().map(PathBuf::from);
                files.extend(named.filter(|file| file.is_relative() && project_dir.join(file).is_file()));
            }
        }
        Ok(files)
    }
}

/// Adds a file, or every file of a folder in the order of their names.
fn add_files(project_dir: &Path, path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ComponentError> {
    if !project_dir.join(path).is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        ComponentError::new(Code::Io, format!("cannot read `{}`: {}", path.display(), tidemill_core::io_reason(&error)))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(project_dir.join(path)).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort();
    // What Python writes beside the code changes without the code.
    names
        .iter()
        .filter(|name| *name != "__pycache__")
        .try_for_each(|name| add_files(project_dir, &path.join(name), files))
}

/// `components` with those that the project declares. A name of a built-in component is refused.
pub(crate) fn with_custom(mut components: Components, custom: Vec<CustomComponent>) -> Result<Components, Failure> {
    for component in custom {
        if components.get(&component.name).is_some() {
            let message = format!("`{}` declares `{}`, which is built in", component.file.display(), component.name);
            return Err(Failure::new(Code::PipelineFile, message).with_hint("give the file another name"));
        }
        components = components.with(component);
    }
    Ok(components)
}

impl Component for CustomComponent {
    fn spec(&self) -> ComponentSpec {
        let declaration = &self.declaration;
        let inputs = declaration.inputs.iter().map(|(key, input)| match input.optional {
            true => InputSpec::optional(key.clone(), input.artifact_type),
            false => InputSpec::required(key.clone(), input.artifact_type),
        });
        let outputs = declaration.outputs.iter().map(|(key, output)| OutputSpec::new(key.clone(), *output));
        ComponentSpec {
            name: self.name.clone().into(),
            version: declaration.version_of_outputs,
            about: declaration.about.clone().into(),
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            gate: if declaration.gate { Gate::Below } else { Gate::Dependents },
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        let properties: serde_json::Map<String, Value> =
            self.declaration.params.iter().map(|(name, param)| (name.clone(), param.schema())).collect();
        let required: Vec<&String> =
            self.declaration.params.iter().filter(|(_, param)| param.default.is_none()).map(|(name, _)| name).collect();
        let schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        schema.try_into().unwrap_or_default()
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let known = || self.declaration.params.keys().map(String::as_str);
        let given = params.as_object().cloned().unwrap_or_default();
        let mut issues = Vec::new();
        for (name, value) in &given {
            match self.declaration.params.get(name) {
                Some(param) => issues.extend(check_value(param, value).map(|wrong| ParamIssue::new([name], wrong))),
                None => {
                    let hint = tidemill_core::suggest(name, known()).map_or_else(
                        || format!("parameters of `{}`: {}", self.name, known().collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    issues.push(ParamIssue::new([name], format!("unknown field `{name}`")).with_hint(hint));
                }
            }
        }
        let lacks = self
            .declaration
            .params
            .iter()
            .filter(|(name, param)| param.default.is_none() && !given.contains_key(*name));
        issues.extend(lacks.map(|(name, _)| {
            ParamIssue::new(<[&str; 0]>::default(), format!("`{}` needs the parameter `{name}`", self.name))
        }));
        issues
    }

    /// The declaration and the code: the step runs again when one of them changes.
    fn external_inputs(&self, _params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let digest = |file: PathBuf| {
            let bytes = std::fs::read(project_dir.join(&file)).map_err(|error| {
                let message = format!("cannot read `{}`, a file of component `{}`", file.display(), self.name);
                let error = ComponentError {
                    source: Some(Box::new(error)),
                    ..ComponentError::new(Code::SourceNotFound, message)
                };
                error.with_hint("`code` lists files and folders of the project that the component consists of")
            })?;
            Ok(ExternalInput {
                name: file.display().to_string(),
                digest: Digest::from_bytes(blake3::hash(&bytes).as_bytes()),
            })
        };
        self.files(project_dir)?.into_iter().map(digest).collect()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let mut params = serde_json::Map::new();
        for (name, param) in &self.declaration.params {
            let given = context.params.get(name).cloned().or_else(|| param.default.clone());
            params.insert(name.clone(), given.unwrap_or_default());
        }
        job::run(&self.name, &self.declaration, &params, context)
    }
}
