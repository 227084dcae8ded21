//! The state of versions, as the server reports it.

use std::fmt;

/// Where a version is in its life, in the words of TF Serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionState {
    /// Listed, not yet loading.
    Start,
    /// Being loaded and checked.
    Loading,
    /// Answers requests.
    Available,
    /// Takes no new requests; some are still being answered.
    Unloading,
    /// Unloaded, or failed to load: then there is an error.
    End,
}

impl VersionState {
    /// The word used in the status call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Loading => "LOADING",
            Self::Available => "AVAILABLE",
            Self::Unloading => "UNLOADING",
            Self::End => "END",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStatus {
    /// The version.
    pub version: u64,
    /// Where it is in its life.
    pub state: VersionState,
    /// Why it could not be loaded.
    pub error: Option<String>,
}

/// One model and its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatus {
    /// The model's name.
    pub name: String,
    /// Its versions, highest first.
    pub versions: Vec<VersionStatus>,
    /// Labels and the versions they lead to now, by label.
    pub labels: Vec<(String, u64)>,
    /// The version that answers requests which name none.
    pub latest: Option<u64>,
}
