//! A project: its folder, settings, pipeline file and store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_core::Failure;
use tidemill_metadata::{MetadataStore, OpenStore, StoreFolder};
use tidemill_pipeline::{Components, FILE_NAME, LoadError, Pipeline, Workspace};

use crate::components;
use crate::custom::{custom_components, with_custom};
use crate::endpoints::EndpointFolder;
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

    /// The endpoints that were applied in the project.
    pub fn endpoints(&self) -> EndpointFolder {
        EndpointFolder::new(self.store_dir().join("endpoints"))
    }

    /// The store. `.tidemill.id` beside the pipeline file says which stores the project has had.
    pub fn store(&self) -> StoreFolder {
        StoreFolder::new(&self.store_dir(), Some(&self.dir.join(".tidemill.id")))
    }

    /// Opens the store, and makes it if the project never had one. Only for a folder that is a project.
    pub async fn open(&self) -> Result<Workspace, Failure> {
        self.require_project()?;
        Ok(Workspace::new(self.store().open().await?, Some(self.store_dir())))
    }

    /// Opens the store for callers that only read: nothing is written, and a full or read-only disk is no obstacle. A
    /// project without a store has an empty one.
    pub async fn open_to_read(&self) -> Result<Workspace, Failure> {
        self.require_project()?;
        match self.store().open_to_read().await? {
            Some(store) => Ok(Workspace::new(store, Some(self.store_dir()))),
            None => Ok(Workspace::new(OpenStore::in_memory()?, None)),
        }
    }

    fn require_project(&self) -> Result<(), Failure> {
        if !self.file.is_file() && !self.store_dir().is_dir() {
            return Err(LoadError::NotFound(self.file.clone()).into());
        }
        Ok(())
    }

    /// Reads the pipeline file.
    pub fn pipeline(&self, workspace: Option<&Workspace>, params: &[(String, String)]) -> Result<Pipeline, Failure> {
        Ok(Pipeline::load(&self.file, &self.components(workspace)?, params)?)
    }

    /// Every component that a pipeline of the project may use: those that are built in, and those that it declares.
    pub fn components(&self, workspace: Option<&Workspace>) -> Result<Components, Failure> {
        let policy = self.settings.alias_policy();
        let built_in = components::all_with(workspace.cloned(), Some(self.feature_sets()), policy);
        with_custom(built_in, custom_components(&self.dir)?)
    }

    /// The store's metadata alone, for callers that only read.
    pub async fn metadata(&self) -> Result<Arc<dyn MetadataStore>, Failure> {
        Ok(self.open_to_read().await?.metadata)
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
