//! The file that names the stores of a project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{StoreId, millis};

/// The registered stores of a project, which may or may not include this one.
///
/// ```json
/// {
///   "about": "The stores of this project …",
///   "format": 1,
///   "stores": { "/home/ada/taxi/.tidemill": { "id": "019c…", "since": "2026-01-31T08:00:00.120Z" } }
/// }
/// ```
#[derive(Debug)]
pub(super) struct Registration {
    file: PathBuf,
    place: String,
    stores: BTreeMap<String, Registered>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    about: String,
    format: u32,
    stores: BTreeMap<String, Registered>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Registered {
    id: StoreId,
    since: String,
}

const ABOUT: &str = "The stores that were opened for this project on this machine, by path. If one of them is gone, \
                     tidemill says so and does not start an empty one. Keep this file out of version control.";

impl Registration {
    /// Reads the file; a missing or unreadable file names no store.
    pub(super) fn read(file: &Path, dir: &Path) -> Self {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let content = fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Content>(&bytes).ok());
        let stores = content.filter(|content| content.format == 1).map(|content| content.stores).unwrap_or_default();
        Self { file: file.to_owned(), place: dir.display().to_string(), stores }
    }

    /// The known facts about the store, if it was opened before.
    pub(super) fn known_facts(&self) -> Option<String> {
        let known = self.stores.get(&self.place)?;
        let file = self.file.file_name().unwrap_or_default().display().to_string();
        Some(format!("this project has had store {} there since {} (`{file}`)", known.id.short(), known.since))
    }

    /// Adds the store. Best effort: a project that cannot be written to works without.
    pub(super) fn add(mut self, id: &StoreId) {
        if self.stores.get(&self.place).is_some_and(|known| known.id == *id) {
            return;
        }
        let registered = Registered { id: id.clone(), since: millis::text(millis::now()) };
        self.stores.insert(self.place, registered);
        let content = Content { about: ABOUT.to_owned(), format: 1, stores: self.stores };
        if let Ok(text) = serde_json::to_string_pretty(&content) {
            let _ = tidemill_files::write(&self.file, text + "\n");
        }
    }
}
