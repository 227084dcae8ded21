//! A folder of versions, in the layout of TF Serving.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Servable, Source, SourceError, VersionPolicy};
use crate::ModelConfig;

/// Entries that are in the folder of a package, and never in a base folder.
const MODEL_FILES: [&str; 2] = ["model.json", "saved_model.pb"];

/// Lists the versions found in the base folder of one model.
///
/// ```text
/// models/taxi-tips/        the base folder
///   123/                   a model package, or one model file of another program, version 123
///   00000124/              version 124: leading zeros do not matter
///   124.tmp/  notes.txt    everything else is ignored
/// ```
///
/// A version should appear in one step (write it elsewhere, then rename). One that is still being copied fails to
/// load and is tried again later.
#[derive(Debug, Clone)]
pub struct FolderSource {
    name: String,
    base: PathBuf,
    policy: VersionPolicy,
    labels: BTreeMap<String, u64>,
}

impl FolderSource {
    /// Serves the latest version under `base` as the model `name`.
    pub fn new(name: impl Into<String>, base: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), base: base.into(), policy: VersionPolicy::default(), labels: BTreeMap::new() }
    }

    /// Chooses other versions than the latest.
    pub fn with_policy(mut self, policy: VersionPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Makes a label lead to a version. The policy still decides whether the version is served.
    pub fn with_label(mut self, label: impl Into<String>, version: u64) -> Self {
        self.labels.insert(label.into(), version);
        self
    }

    /// What to do about a base folder without versions, if it shows what was meant.
    fn hint(&self) -> Option<String> {
        let entries = std::fs::read_dir(&self.base).ok()?;
        let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        entries.sort();
        let base = self.base.display();
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(file) = entries.iter().find(|path| path.is_file() && tidemill_onnx::is_model(path)) {
            let file = name(file);
            return Some(format!(
                "`{base}` holds `{file}` and no folder of a version: move the file to `{base}/1/{file}`"
            ));
        }
        let holds_model = |folder: &&PathBuf| {
            let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            folder.is_dir() && files.into_iter().any(|file| file.is_file() && tidemill_onnx::is_model(&file))
        };
        let folder = name(entries.iter().find(holds_model)?);
        Some(format!(
            "`{base}` holds the folder `{folder}`, and folders of versions have whole numbers as names: rename it to `1`"
        ))
    }

    pub(super) fn of(model: ModelConfig) -> Self {
        Self { name: model.name, base: model.base_path, policy: model.policy, labels: model.labels }
    }

    pub(crate) fn scan(&self) -> Result<Vec<Servable>, SourceError> {
        let versions = versions_in(&self.base).map_err(|source| {
            SourceError::new(format!("cannot read the base folder `{}`", self.base.display())).with_source(source)
        })?;
        if versions.is_empty() && MODEL_FILES.iter().any(|file| self.base.join(file).exists()) {
            return Err(SourceError::new(format!(
                "`{}` is itself a model: the base path is the folder above it, with a folder for each version",
                self.base.display()
            )));
        }
        if versions.is_empty()
            && let Some(hint) = self.hint()
        {
            return Err(SourceError::new(hint));
        }
        let servable = |(version, path)| Servable {
            name: self.name.clone(),
            version,
            path,
            labels: self.labels.iter().filter(|(_, v)| **v == version).map(|(label, _)| label.clone()).collect(),
            default: false,
        };
        Ok(self.policy.select(versions).into_iter().map(servable).collect())
    }
}

/// The folders whose name is a number, sorted by it. If two names are the same number, the first in name order counts.
fn versions_in(base: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut versions: Vec<(u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(base)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(version) = digits.and_then(|digits| digits.parse().ok())
            && entry.path().is_dir()
        {
            versions.push((version, entry.path()));
        }
    }
    versions.sort();
    versions.dedup_by_key(|(version, _)| *version);
    Ok(versions)
}

#[async_trait]
impl Source for FolderSource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        let source = self.clone();
        match tokio::task::spawn_blocking(move || source.scan()).await {
            Ok(listed) => listed,
            Err(error) => Err(SourceError::new("listing the base folder was interrupted").with_source(error)),
        }
    }

    fn expected(&self) -> Vec<String> {
        vec![self.name.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_with(names: &[&str]) -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        std::fs::write(base.path().join("7"), "a file, not a folder").unwrap();
        base
    }

    fn versions(source: &FolderSource) -> Vec<u64> {
        source.scan().unwrap().iter().map(|servable| servable.version).collect()
    }

    #[test]
    fn only_folders_named_by_a_number_are_versions() {
        let base = base_with(&["00000123", "124", "125.tmp", "x1", "+3"]);
        let source = FolderSource::new("half", base.path());
        assert_eq!(versions(&source), [124]);
        assert_eq!(versions(&source.clone().with_policy(VersionPolicy::All)), [123, 124]);
        assert_eq!(versions(&source.with_policy(VersionPolicy::Specific([123].into()))), [123]);
    }

    #[test]
    fn the_folder_of_a_version_is_told_from_the_folder_of_all() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("saved_model.pb"), "").unwrap();
        let error = FolderSource::new("half", base.path()).scan().unwrap_err().to_string();
        assert!(
            error.ends_with("is itself a model: the base path is the folder above it, with a folder for each version")
        );
    }

    #[test]
    fn a_missing_base_folder_is_an_error_that_names_it() {
        let error = FolderSource::new("half", "/no/such/folder").scan().unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
