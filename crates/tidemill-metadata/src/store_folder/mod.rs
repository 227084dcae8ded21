//! A store in a folder: the record, the bytes and the leases together.

mod backup;
mod check;
mod registration;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{
    ArtifactStore, FolderArtifactStore, FolderLeases, MemoryArtifactStore, MemoryLeases, MemoryStore, MetadataStore,
    RunLeases, SecretKey, SqliteStore, StoreError,
};
pub use backup::BackupReport;
pub use check::{ArtifactFinding, CheckReport};
use registration::Registration;

/// The store of a project, in one folder.
///
/// ```text
/// project/
/// ├── .tidemill.id            which store the project has: see below
/// └── .tidemill/
///     ├── metadata.db         the record: see `SqliteStore`
///     ├── artifacts/          the bytes: see `FolderArtifactStore`
///     ├── locks/              leases of pipelines: see `FolderLeases`
///     └── secret.key          see `SecretKey`
/// ```
///
/// An empty or missing folder does not count as a new project: `.tidemill.id` names the stores that were opened for it,
/// by their absolute path, and opening one that is gone is [`StoreError::Lost`]. A clone or a copy of the project has
/// another path, so it begins a store of its own.
#[derive(Debug, Clone)]
pub struct StoreFolder {
    dir: PathBuf,
    registration: Option<PathBuf>,
}

/// The state of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    /// It exists.
    Present,
    /// It never existed.
    Absent,
    /// It existed, and is gone or has lost its database; the text gives the known facts.
    Lost(String),
}

/// An open store.
#[allow(missing_docs, reason = "plain data")]
#[derive(Clone)]
pub struct OpenStore {
    pub metadata: Arc<dyn MetadataStore>,
    pub artifacts: Arc<dyn ArtifactStore>,
    pub leases: Arc<dyn RunLeases>,
    pub secrets: SecretKey,
}

impl OpenStore {
    /// An empty store in memory.
    pub fn in_memory() -> Result<Self, StoreError> {
        Ok(Self {
            metadata: Arc::new(MemoryStore::new()),
            artifacts: Arc::new(MemoryArtifactStore::new()?),
            leases: Arc::new(MemoryLeases::new()),
            secrets: SecretKey::generate(),
        })
    }
}

impl StoreFolder {
    /// The store in the folder `dir`; `registration` is the file that names the stores of the project.
    pub fn new(dir: &Path, registration: Option<&Path>) -> Self {
        Self { dir: dir.to_owned(), registration: registration.map(Path::to_owned) }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The leases of its pipelines.
    pub fn leases(&self) -> FolderLeases {
        FolderLeases::new(&self.dir)
    }

    fn database(&self) -> PathBuf {
        self.dir.join("metadata.db")
    }

    fn artifacts(&self) -> Result<FolderArtifactStore, StoreError> {
        FolderArtifactStore::open(&self.dir.join("artifacts"))
    }

    fn key(&self) -> PathBuf {
        self.dir.join("secret.key")
    }

    fn registration(&self) -> Option<Registration> {
        self.registration.as_deref().map(|file| Registration::read(file, &self.dir))
    }

    /// Whether the store exists, or existed before. Nothing is written.
    pub fn state(&self) -> Result<StoreState, StoreError> {
        if fs::metadata(self.database()).is_ok_and(|found| found.len() > 0) {
            return Ok(StoreState::Present);
        }
        let artifacts = self.artifacts()?.list()?.len();
        if artifacts > 0 {
            return Ok(StoreState::Lost(format!("`metadata.db` is missing, but there are {artifacts} artifacts")));
        }
        let known = self.registration().and_then(|registration| registration.known_facts());
        Ok(known.map_or(StoreState::Absent, StoreState::Lost))
    }

    /// Opens the store, and creates it if it never existed.
    pub async fn open(&self) -> Result<OpenStore, StoreError> {
        if let StoreState::Lost(reason) = self.state()? {
            return Err(StoreError::Lost { dir: self.dir.clone(), reason });
        }
        self.open_or_create().await
    }

    async fn open_or_create(&self) -> Result<OpenStore, StoreError> {
        tidemill_files::create_folder(&self.dir)?;
        let metadata = SqliteStore::open(&self.database()).await?;
        if let Some(registration) = self.registration() {
            registration.add(metadata.id());
        }
        Ok(OpenStore {
            metadata: Arc::new(metadata),
            artifacts: Arc::new(self.artifacts()?),
            leases: Arc::new(self.leases()),
            secrets: SecretKey::load(&self.key())?,
        })
    }

    /// Opens the store for commands that only read: nothing is created, and the disk may be full or read-only. `None`
    /// if the store never existed.
    pub async fn open_to_read(&self) -> Result<Option<OpenStore>, StoreError> {
        match self.state()? {
            StoreState::Absent => Ok(None),
            StoreState::Lost(reason) => Err(StoreError::Lost { dir: self.dir.clone(), reason }),
            StoreState::Present => {
                let metadata = SqliteStore::open_to_read(&self.database()).await?;
                let secrets = if self.key().exists() { SecretKey::load(&self.key())? } else { SecretKey::generate() };
                Ok(Some(OpenStore {
                    metadata: Arc::new(metadata),
                    artifacts: Arc::new(self.artifacts()?),
                    leases: Arc::new(self.leases()),
                    secrets,
                }))
            }
        }
    }

    /// Starts an empty store in place of a lost one. Existing artifacts are reused.
    ///
    /// [`StoreError::Exists`] if a store exists, unless `replace`: then it is moved away first. Returns where to.
    pub async fn start_empty(&self, replace: bool) -> Result<Option<PathBuf>, StoreError> {
        let moved = self.move_aside(replace)?;
        self.open_or_create().await?;
        Ok(moved)
    }

    /// Moves an existing store out of the way.
    fn move_aside(&self, replace: bool) -> Result<Option<PathBuf>, StoreError> {
        if self.state()? != StoreState::Present {
            return Ok(None);
        }
        if !replace {
            return Err(StoreError::Exists { dir: self.dir.clone() });
        }
        self.move_away()
    }
}
