//! Settings: defaults < user file < project file < profile < environment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use tidemill_core::{Code, suggest};

use crate::error::Failure;

/// The settings file of a project.
pub const FILE_NAME: &str = "tidemill.toml";

/// What `tidemill.toml` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where runs, artifacts and the registry are kept; a relative path starts at the project folder.
    pub store: PathBuf,
    /// Where feature sets are kept; a relative path starts at the project folder.
    pub features: PathBuf,
    /// Threads a step may keep busy; 0 means all cores.
    pub threads: usize,
    /// Steps that may run at once.
    pub steps_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { store: ".tidemill".into(), features: "features".into(), threads: 0, steps_at_once: 4 }
    }
}

/// Variables that Tidemill reads begin with it.
pub const PREFIX: &str = "TIDEMILL_";

const KEYS: [&str; 4] = ["store", "features", "threads", "steps_at_once"];

impl Settings {
    /// The settings of the project in `dir`.
    pub fn load(dir: &Path, profile: Option<&str>) -> Result<Self, Failure> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        let mut profiles = Figment::new();
        for file in [user_file(), Some(dir.join(FILE_NAME))].into_iter().flatten().filter(|file| file.is_file()) {
            let layer = Figment::from(Toml::file_exact(&file));
            profiles = profiles.merge(layer.clone());
            figment = figment.merge(layer);
        }
        for (name, layer) in named(&profiles) {
            check_profile(&name, layer)?;
        }
        if let Some(profile) = profile {
            let layer =
                profiles.find_value(&format!("profiles.{profile}")).map_err(|_| unknown_profile(profile, &profiles))?;
            figment = figment.merge(Serialized::globals(layer));
        }
        let figment = figment.merge(Env::prefixed(PREFIX).only(&KEYS));
        let mut all: figment::value::Dict = figment.extract().map_err(|error| invalid(&error))?;
        all.remove("profiles");
        let settings: Self = Figment::from(Serialized::defaults(all)).extract().map_err(|error| {
            // The values have lost their files by now: ask the layered figment where the key came from.
            let from = key_of(&error).and_then(|key| figment.find_metadata(&key)).map(place);
            let mut failure = invalid(&error);
            if let Some(from) = from {
                failure.message = format!("{from}: {}", failure.message);
            }
            failure
        })?;
        Ok(settings)
    }

    /// Threads to use.
    pub fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { cores() }
    }
}

/// Processors this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Where a value came from: a file, or the environment.
fn place(metadata: &figment::Metadata) -> String {
    metadata.source.as_ref().map_or_else(|| metadata.name.to_string(), |source| format!("`{source}`"))
}

fn user_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(base.join("tidemill").join(FILE_NAME))
}

/// Where copies are kept that can be made again.
pub fn cache_dir() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("tidemill")
}

/// The profiles, by name.
fn named(figment: &Figment) -> figment::value::Dict {
    figment.find_value("profiles").ok().and_then(figment::value::Value::into_dict).unwrap_or_default()
}

/// A mistake in a profile is told whether the profile is used now or not.
fn check_profile(name: &str, layer: figment::value::Value) -> Result<(), Failure> {
    let profile = Figment::from(Serialized::defaults(Settings::default())).merge(Serialized::globals(layer));
    profile.extract::<Settings>().map(|_| ()).map_err(|error| {
        let mut failure = invalid(&error);
        failure.message = format!("`{FILE_NAME}`, profile `{name}`: {}", failure.message);
        failure
    })
}

/// Variables for Tidemill's own tests begin with it: where their servers and libraries are.
const TEST_PREFIX: &str = "TEST_";

/// Says what is probably meant by a `TIDEMILL_…` variable that nothing reads; `flags` are those of the command line.
pub fn doubtful_variables(flags: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let name = |name: std::ffi::OsString| Some(name.to_str()?.strip_prefix(PREFIX)?.to_owned());
    let set: BTreeSet<String> = std::env::vars_os().filter_map(|(variable, _)| name(variable)).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let known: Vec<String> = KEYS.iter().map(|key| key.to_uppercase()).chain(flags()).collect();
    let doubtful = set.iter().filter(|name| !known.contains(name) && !name.starts_with(TEST_PREFIX));
    let told = doubtful.filter_map(|name| {
        let near = suggest(name, known.iter().map(String::as_str))?;
        Some(format!("nothing reads the variable `{PREFIX}{name}`: did you mean `{PREFIX}{near}`?"))
    });
    told.collect()
}

fn unknown_profile(profile: &str, figment: &Figment) -> Failure {
    let known: Vec<String> = named(figment).into_keys().collect();
    let failure = Failure::new(Code::Settings, format!("there is no profile `{profile}`"));
    if known.is_empty() {
        failure.with_hint(format!("define it as `[profiles.{profile}]` in `{FILE_NAME}`"))
    } else {
        failure.with_hint(format!("profiles: {}", known.join(", ")))
    }
}

/// The setting an error is about.
fn key_of(error: &figment::Error) -> Option<String> {
    match &error.kind {
        figment::error::Kind::UnknownField(key, _) => Some(key.clone()),
        _ => error.path.last().cloned(),
    }
}

fn invalid(error: &figment::Error) -> Failure {
    use figment::error::Kind;

    let key = key_of(error).unwrap_or_default();
    match &error.kind {
        Kind::UnknownField(_, known) => {
            let hint = suggest(&key, known.iter().copied())
                .map_or_else(|| format!("settings: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            Failure::new(Code::Settings, format!("there is no setting `{key}`")).with_hint(hint)
        }
        Kind::InvalidType(found, expected) => {
            Failure::new(Code::Settings, format!("setting `{key}` is {found}, expected {expected}"))
        }
        kind => Failure::new(Code::Settings, kind.to_string()),
    }
}
