//! Settings: defaults < user file < project file < profile < environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use tidemill_core::{Code, Diagnostic, Failure, InvalidFile, suggest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::alias_policy::AliasPolicy;

/// The settings file of a project.
pub const FILE_NAME: &str = "tidemill.toml";

/// Settings of a project, as `tidemill.toml` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where runs, artifacts and the registry are kept; a relative path starts at the project folder.
    pub store: PathBuf,
    /// Where feature sets are kept; a relative path starts at the project folder.
    pub features: PathBuf,
    /// Threads a step may keep busy; 0 means all cores.
    pub threads: usize,
    /// Steps that may run at once.
    pub steps_at_once: usize,
    /// Aliases that move only after an approval: `MODEL@ALIAS`, or `@ALIAS` for every model.
    pub protected_aliases: Vec<String>,
    /// Whoever asks for the move of a protected alias cannot approve it.
    pub approver_is_not_author: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            store: ".tidemill".into(),
            features: "features".into(),
            threads: 0,
            steps_at_once: 4,
            protected_aliases: Vec::new(),
            approver_is_not_author: false,
        }
    }
}

/// Prefix of the environment variables that Tidemill reads.
pub const PREFIX: &str = "TIDEMILL_";

const KEYS: [&str; 6] =
    ["store", "features", "threads", "steps_at_once", "protected_aliases", "approver_is_not_author"];
/// The key of a settings file that holds the profiles.
const PROFILES: &str = "profiles";

impl Settings {
    /// The settings of the project in `dir`.
    pub fn load(dir: &Path, profile: Option<&str>) -> Result<Self, Failure> {
        let mut settings = Self::default();
        let mut profiles: BTreeMap<String, Vec<Layer>> = BTreeMap::new();
        for path in [user_file(), Some(dir.join(FILE_NAME))].into_iter().flatten().filter(|file| file.is_file()) {
            let file = SettingsFile::read(&path)?;
            settings.apply(&file.top);
            for (name, layer) in file.profiles {
                profiles.entry(name).or_default().push(layer);
            }
        }
        if let Some(profile) = profile {
            let layers = profiles.get(profile).ok_or_else(|| unknown_profile(profile, &profiles))?;
            layers.iter().for_each(|layer| settings.apply(layer));
        }
        settings.apply(&Layer::from_environment(&|name| std::env::var(name).ok())?);
        Ok(settings)
    }

    fn apply(&mut self, layer: &Layer) {
        let Layer { store, features, threads, steps_at_once, protected_aliases, approver_is_not_author } =
            layer.clone();
        self.protected_aliases = protected_aliases.unwrap_or_else(|| std::mem::take(&mut self.protected_aliases));
        self.approver_is_not_author = approver_is_not_author.unwrap_or(self.approver_is_not_author);
        self.store = store.unwrap_or_else(|| std::mem::take(&mut self.store));
        self.features = features.unwrap_or_else(|| std::mem::take(&mut self.features));
        self.threads = threads.unwrap_or(self.threads);
        self.steps_at_once = steps_at_once.unwrap_or(self.steps_at_once);
    }

    /// Which aliases are protected.
    pub fn alias_policy(&self) -> AliasPolicy {
        AliasPolicy { protected: self.protected_aliases.clone(), not_author: self.approver_is_not_author }
    }

    /// Threads to use.
    pub fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { cores() }
    }
}

/// The settings that one place gives: a file, a profile, the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Layer {
    store: Option<PathBuf>,
    features: Option<PathBuf>,
    threads: Option<usize>,
    steps_at_once: Option<usize>,
    protected_aliases: Option<Vec<String>>,
    approver_is_not_author: Option<bool>,
}

impl Layer {
    fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let name = |key: &str| format!("{PREFIX}{}", key.to_uppercase());
        let path = |key: &str| variable(&name(key)).map(PathBuf::from);
        let number = |key: &str| {
            let Some(text) = variable(&name(key)) else { return Ok(None) };
            text.trim().parse().map(Some).map_err(|_| {
                let message = format!("the variable `{}` is `{text}`; a whole number is expected", name(key));
                Failure::new(Code::Settings, message)
            })
        };
        let list = |key: &str| {
            let Some(text) = variable(&name(key)) else { return Ok(None) };
            let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
            match items.iter().find(|item| !is_alias(item)) {
                None => Ok(Some(items)),
                Some(wrong) => {
                    let message = format!("the variable `{}` has `{wrong}`; write MODEL@ALIAS or @ALIAS", name(key));
                    Err(Failure::new(Code::Settings, message))
                }
            }
        };
        let switch = |key: &str| {
            let Some(text) = variable(&name(key)) else { return Ok(None) };
            text.trim().parse().map(Some).map_err(|_| {
                let message = format!("the variable `{}` is `{text}`; `true` or `false` is expected", name(key));
                Failure::new(Code::Settings, message)
            })
        };
        Ok(Self {
            protected_aliases: list("protected_aliases")?,
            approver_is_not_author: switch("approver_is_not_author")?,
            store: path("store"),
            features: path("features"),
            threads: number("threads")?,
            steps_at_once: number("steps_at_once")?,
        })
    }
}

/// A settings file that was read.
struct SettingsFile {
    top: Layer,
    profiles: BTreeMap<String, Layer>,
}

impl SettingsFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?;
        Self::parse(path, &text)
    }

    /// Reads the text of the file at `path`. A mistake in a profile is reported even if the profile is not used.
    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let invalid = |diagnostics: Vec<Diagnostic>| {
            let invalid = InvalidFile { path: path.to_owned(), text: text.to_owned(), diagnostics };
            Failure::in_file(Code::Settings, invalid)
        };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            invalid(vec![Diagnostic::new(span, error.message())])
        })?;
        let mut diagnostics = Vec::new();
        let mut file = Self { top: Layer::default(), profiles: BTreeMap::new() };
        for (key, value) in table.get_ref() {
            if key.get_ref() == PROFILES {
                file.read_profiles(value, &mut diagnostics);
            } else {
                read_setting(&mut file.top, "", (key.get_ref(), key.span()), value, &mut diagnostics);
            }
        }
        if diagnostics.is_empty() {
            return Ok(file);
        }
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        Err(invalid(diagnostics))
    }

    fn read_profiles(&mut self, value: &Spanned<DeValue<'_>>, diagnostics: &mut Vec<Diagnostic>) {
        let DeValue::Table(profiles) = value.get_ref() else {
            let message = format!("`{PROFILES}` is {}; a table is expected", describe(value.get_ref()));
            diagnostics.push(Diagnostic::new(value.span(), message).with_hint(Some("write `[profiles.NAME]`")));
            return;
        };
        for (name, profile) in profiles {
            let name = name.get_ref();
            let DeValue::Table(table) = profile.get_ref() else {
                let message = format!("profile `{name}` is {}; a table is expected", describe(profile.get_ref()));
                diagnostics.push(Diagnostic::new(profile.span(), message));
                continue;
            };
            let layer = self.profiles.entry(name.to_string()).or_default();
            for (key, value) in table {
                let place = format!("profile `{name}`: ");
                read_setting(layer, &place, (key.get_ref(), key.span()), value, diagnostics);
            }
        }
    }
}

/// Reads one setting into `layer`; `place` stands before its messages.
fn read_setting(
    layer: &mut Layer,
    place: &str,
    (key, span): (&str, Range<usize>),
    value: &Spanned<DeValue<'_>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut refuse = |span: Range<usize>, message: String, hint: Option<String>| {
        diagnostics.push(Diagnostic::new(span, format!("{place}{message}")).with_hint(hint));
    };
    let path = || match value.get_ref() {
        DeValue::String(text) => Some(PathBuf::from(text.as_ref())),
        _ => None,
    };
    let number = || match value.get_ref() {
        DeValue::Integer(digits) => usize::from_str_radix(digits.as_str(), digits.radix()).ok(),
        _ => None,
    };
    let expected = match key {
        "store" | "features" => {
            let slot = if key == "store" { &mut layer.store } else { &mut layer.features };
            *slot = path();
            slot.is_none().then_some("a text")
        }
        "threads" | "steps_at_once" => {
            let slot = if key == "threads" { &mut layer.threads } else { &mut layer.steps_at_once };
            *slot = number();
            slot.is_none().then_some("a whole number that is not negative")
        }
        "protected_aliases" => {
            layer.protected_aliases = match value.get_ref() {
                DeValue::Array(items) => items.iter().map(|item| text_of(item).filter(|text| is_alias(text))).collect(),
                _ => None,
            };
            layer.protected_aliases.is_none().then_some("a list of \"MODEL@ALIAS\" or \"@ALIAS\"")
        }
        "approver_is_not_author" => {
            layer.approver_is_not_author = match value.get_ref() {
                DeValue::Boolean(value) => Some(*value),
                _ => None,
            };
            layer.approver_is_not_author.is_none().then_some("`true` or `false`")
        }
        _ => {
            let hint = suggest(key, KEYS)
                .map_or_else(|| format!("settings: {}", KEYS.join(", ")), |near| format!("did you mean `{near}`?"));
            refuse(span, format!("there is no setting `{key}`"), Some(hint));
            return;
        }
    };
    if let Some(expected) = expected {
        let message = format!("setting `{key}` is {}; {expected} is expected", describe(value.get_ref()));
        refuse(value.span(), message, None);
    }
}

fn text_of(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// `MODEL@ALIAS` or `@ALIAS`.
fn is_alias(text: &str) -> bool {
    text.split_once('@').is_some_and(|(_, alias)| !alias.is_empty() && !alias.contains('@'))
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(digits) => digits.as_str().to_owned(),
        DeValue::Float(digits) => digits.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn unknown_profile(profile: &str, profiles: &BTreeMap<String, Vec<Layer>>) -> Failure {
    let failure = Failure::new(Code::Settings, format!("there is no profile `{profile}`"));
    if profiles.is_empty() {
        failure.with_hint(format!("define it as `[profiles.{profile}]` in `{FILE_NAME}`"))
    } else {
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        failure.with_hint(format!("profiles: {}", known.join(", ")))
    }
}

/// Processors this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn user_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(base.join("tidemill").join(FILE_NAME))
}

/// The folder for copies that can be made again.
pub fn cache_dir() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("tidemill")
}

/// Variables for Tidemill's own tests begin with it: where their servers and libraries are.
const TEST_PREFIX: &str = "TEST_";

/// Warnings about `TIDEMILL_…` variables that nothing reads and that look like a misspelt one. `flags` are the
/// variables of the command line, without their prefix.
pub fn doubtful_variables(flags: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let name = |name: std::ffi::OsString| Some(name.to_str()?.strip_prefix(PREFIX)?.to_owned());
    let set: BTreeSet<String> = std::env::vars_os().filter_map(|(variable, _)| name(variable)).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let known: Vec<String> = KEYS.iter().map(|key| key.to_uppercase()).chain(flags()).collect();
    let doubtful = set.iter().filter(|name| !known.contains(name) && !name.starts_with(TEST_PREFIX));
    let warnings = doubtful.filter_map(|name| {
        let near = suggest(name, known.iter().map(String::as_str))?;
        Some(format!("nothing reads the variable `{PREFIX}{name}`: did you mean `{PREFIX}{near}`?"))
    });
    warnings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsFile, String> {
        SettingsFile::parse(Path::new("tidemill.toml"), text).map_err(|failure| failure.message)
    }

    #[test]
    fn a_file_gives_settings_and_profiles() {
        let file = parse("store = \"s\"\nthreads = 0x10\n[profiles.ci]\nsteps_at_once = 1\n").unwrap();
        assert_eq!(file.top, Layer { store: Some("s".into()), threads: Some(16), ..Layer::default() });
        assert_eq!(file.profiles["ci"], Layer { steps_at_once: Some(1), ..Layer::default() });
        let mut settings = Settings::default();
        settings.apply(&file.top);
        settings.apply(&file.profiles["ci"]);
        let expected = Settings { store: "s".into(), threads: 16, steps_at_once: 1, ..Settings::default() };
        assert_eq!(settings, expected);
    }

    #[test]
    fn all_mistakes_are_reported_with_line_and_key() {
        let text = "thraeds = 1\nthreads = -1\nstore = 3\n[profiles.ci]\nsteps = 2\n";
        let message = parse(text).err().unwrap();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(
            lines,
            [
                "tidemill.toml:1:1: there is no setting `thraeds`",
                "tidemill.toml:2:11: setting `threads` is -1; a whole number that is not negative is expected",
                "tidemill.toml:3:9: setting `store` is 3; a text is expected",
                "tidemill.toml:5:1: profile `ci`: there is no setting `steps`",
            ]
        );
        assert!(parse("threads = \n").err().unwrap().starts_with("tidemill.toml:1:"));
        assert!(parse("profiles = 1\n").is_err() && parse("[profiles]\nci = 1\n").is_err());
    }

    #[test]
    fn a_variable_names_itself() {
        let value = |text: &'static str| move |name: &str| (name == "TIDEMILL_THREADS").then(|| text.to_owned());
        assert_eq!(Layer::from_environment(&value("3")).unwrap().threads, Some(3));
        let failure = Layer::from_environment(&value("many")).unwrap_err();
        assert!(failure.message.contains("`TIDEMILL_THREADS` is `many`"), "{failure}");
    }
}
