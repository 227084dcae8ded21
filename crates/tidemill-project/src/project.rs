//! A project: its folder, settings, pipeline file and store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_core::{Code, Failure};
use tidemill_metadata::{ArtifactStore, MetadataStore, SqliteStore};
use tidemill_pipeline::{FILE_NAME, LoadError, Pipeline, Workspace};

use crate::components;
use crate::feature_sets::FeatureSetFolder;
use crate::settings::{self, Settings};

/// A project folder with its settings.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub dir: PathBuf,
    /// The pipeline file, which need not exist.
    pub file: PathBuf,
    /// Its settings.
    pub settings: Settings,
}

impl Project {
    /// The project at `path` (a folder or a pipeline file), or the one around the current folder, with the settings
    /// of `profile`.
    pub fn find(path: Option<&Path>, profile: Option<&str>) -> Result<Self, Failure> {
        let file = match path {
            Some(path) if path.is_file() => path.to_owned(),
            Some(path) => path.join(FILE_NAME),
            None => nearest(),
        };
        // Empty for the current folder, so that paths read as they were written.
        let dir = file.parent().map(Path::to_owned).unwrap_or_default();
        let settings = Settings::load(&dir, profile)?;
        Ok(Self { dir, file, settings })
    }

    /// The folder of the store.
    pub fn store_dir(&self) -> PathBuf {
        self.dir.join(&self.settings.store)
    }

    /// The feature sets of the project.
    pub fn feature_sets(&self) -> FeatureSetFolder {
        FeatureSetFolder::new(self.dir.join(&self.settings.features))
    }

    /// Opens the store, making it if it is new. Only for a folder that is a project.
    pub async fn open(&self) -> Result<Workspace, Failure> {
        let store = self.store_dir();
        if !self.file.is_file() && !store.is_dir() {
            return Err(LoadError::NotFound(self.file.clone()).into());
        }
        std::fs::create_dir_all(&store).map_err(|error| {
            let message = format!("cannot create the store `{}`", store.display());
            Failure::new(Code::StoreUnavailable, message).with_cause(error)
        })?;
        let metadata = SqliteStore::open(&store.join("metadata.db")).await?;
        let artifacts = ArtifactStore::open(&store.join("artifacts"))?;
        Ok(Workspace { metadata: Arc::new(metadata), artifacts: Arc::new(artifacts) })
    }

    /// Reads the pipeline file.
    pub fn pipeline(&self, workspace: Option<&Workspace>, params: &[(String, String)]) -> Result<Pipeline, Failure> {
        let components = components::all(workspace.cloned(), Some(self.feature_sets()));
        Ok(Pipeline::load(&self.file, &components, params)?)
    }

    /// The store's metadata alone, for callers that only read.
    pub async fn metadata(&self) -> Result<Arc<dyn MetadataStore>, Failure> {
        Ok(self.open().await?.metadata)
    }
}

/// The pipeline file of this folder or of the nearest one above that is a project.
fn nearest() -> PathBuf {
    let Ok(here) = std::env::current_dir() else { return PathBuf::from(FILE_NAME) };
    let is_project = |dir: &&Path| dir.join(FILE_NAME).is_file() || dir.join(settings::FILE_NAME).is_file();
    match here.ancestors().find(is_project) {
        Some(dir) if dir != here => dir.join(FILE_NAME),
        _ => PathBuf::from(FILE_NAME),
    }
}
