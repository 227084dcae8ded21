//! An endpoint file beside the models that it names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidemill_core::{ArtifactType, Failure, ParamIssue, Signature, suggest};
use tidemill_pipeline::Workspace;
use tidemill_serving::endpoint::spec::ModelReference;
use tidemill_serving::endpoint::{endpoint_signature_of_files, path_servables, signature_at};

use super::file::EndpointFile;
use crate::registry::find_version;

/// What an endpoint takes and gives, and which versions answer now.
#[derive(Debug, Clone)]
pub struct CheckedEndpoint {
    /// Inputs and outputs.
    pub signature: Signature,
    /// The registered version that each model is now.
    pub versions: BTreeMap<String, (String, u64)>,
    /// What deserves attention and is no mistake.
    pub warnings: Vec<String>,
}

impl EndpointFile {
    /// Checks that the models of the file exist and fit together. Without a project (`None`) the file may not name
    /// registered models.
    pub async fn check(&self, workspace: Option<&Workspace>) -> Result<CheckedEndpoint, Failure> {
        let (mut known, mut versions, mut issues) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut warnings = self.review().into_iter().collect::<Vec<_>>();
        for (name, model) in self.spec.all_models() {
            let key =
                if self.spec.models.contains_key(&name) { vec!["models".to_owned(), name.clone()] } else { Vec::new() };
            let mut issue = |part: &str, message: String, hint: Option<String>| {
                let keys = key.iter().cloned().chain((!key.is_empty()).then(|| part.to_owned()));
                let mut issue = ParamIssue::new(keys, message);
                issue.hint = hint;
                issues.push(issue);
            };
            if let Some(url) = &model.url {
                warnings.push(format!("model `{name}` is at `{url}`: it is asked for its signature when it is served"));
            } else if let Some(path) = &model.path {
                match read_path(&name, path.clone()).await {
                    Ok(signature) => {
                        known.insert(name, signature);
                    }
                    Err(message) => issue("path", message, None),
                }
            } else if let Some(reference) = &model.model {
                match registered(workspace, reference).await? {
                    Ok((registered, version, signature)) => {
                        versions.insert(name.clone(), (registered, version));
                        known.insert(name, signature);
                    }
                    Err((message, hint)) => issue("model", message, hint),
                }
            }
        }
        if !issues.is_empty() {
            return Err(self.invalid(issues));
        }
        let signature = endpoint_signature_of_files(&self.spec, &known).map_err(|issues| self.invalid(issues))?;
        Ok(CheckedEndpoint { signature: signature.tensors, versions, warnings })
    }

    /// A warning if the day of review has passed.
    fn review(&self) -> Option<String> {
        let day: Date = self.spec.review_by.as_ref()?.parse().ok()?;
        let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
        (day < today).then(|| format!("the endpoint should have been reviewed by {day}"))
    }
}

async fn read_path(name: &str, path: PathBuf) -> Result<Signature, String> {
    let name = name.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let servables = path_servables(&name, &path).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        })?;
        let servable = servables.last().ok_or_else(|| format!("`{}` has no version of a model", path.display()))?;
        signature_at(&servable.path)
    });
    read.await.unwrap_or_else(|error| Err(error.to_string()))
}

type Registered = Result<(String, u64, Signature), (String, Option<String>)>;

/// The version that a reference means now, and its signature; what is wrong with the reference.
async fn registered(workspace: Option<&Workspace>, text: &str) -> Result<Registered, Failure> {
    let Ok(reference) = text.parse::<ModelReference>() else {
        return Ok(Err((format!("`{text}` is not a model"), None)));
    };
    let Some(workspace) = workspace else {
        let hint = "run the command in a project, or name the model's folder with `path`";
        return Ok(Err((
            format!("`{text}` is a registered model, and there is no project here"),
            Some(hint.to_owned()),
        )));
    };
    let version = match find_version(&*workspace.metadata, &reference.to_string()).await {
        Ok(version) => version,
        Err(failure) => {
            let models = workspace.metadata.models().await?;
            let known: Vec<&str> = models.iter().map(|record| record.model.name.as_str()).collect();
            let hint = match suggest(&reference.name, known.iter().copied())
                .filter(|_| !known.contains(&&*reference.name))
            {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None if known.is_empty() => Some("no model is registered yet: `tidemill run` registers one".to_owned()),
                None => failure.hint,
            };
            return Ok(Err((failure.message, hint)));
        }
    };
    let artifact = workspace.metadata.artifact(version.artifact_id.as_str()).await?;
    let artifacts = std::sync::Arc::clone(&workspace.artifacts);
    let read = tokio::task::spawn_blocking(move || {
        let path = artifacts.get(ArtifactType::Model, &artifact.digest).map_err(|error| error.to_string())?;
        signature_at(&path)
    });
    Ok(match read.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(signature) => Ok((reference.name, version.version, signature)),
        Err(message) => Err((message, None)),
    })
}
