//! Which models are served from which folders: `ModelServerConfig`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{ConfigError, text};
use crate::protocol::grpc::proto::tensorflow::serving as proto;
use crate::protocol::grpc::proto::tensorflow::serving::file_system_storage_path_source_config::servable_version_policy::PolicyChoice;
use crate::protocol::grpc::proto::tensorflow::serving::model_server_config::Config;
use crate::{LogFormat, ModelLog, VersionPolicy};

/// What TF Serving calls its own models.
const PLATFORM: &str = "tensorflow";

/// One model of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The name clients ask for.
    pub name: String,
    /// The folder with a folder for each version.
    pub base_path: PathBuf,
    /// Which of them are served.
    pub policy: VersionPolicy,
    /// Versions by label.
    pub labels: BTreeMap<String, u64>,
    /// What the configuration calls the kind of the model. The server ignores it and reads the kind from the files.
    pub platform: String,
    /// Logs of its requests, besides the log of all models.
    pub logs: Vec<ModelLog>,
}

impl ModelConfig {
    /// The latest version in `base_path`.
    pub fn new(name: impl Into<String>, base_path: impl Into<PathBuf>) -> Self {
        let (policy, labels) = (VersionPolicy::default(), BTreeMap::new());
        let (platform, logs) = (PLATFORM.to_owned(), Vec::new());
        Self { name: name.into(), base_path: base_path.into(), policy, labels, platform, logs }
    }

    /// Reads a file with the text of a `ModelServerConfig`, as TF Serving's `--model_config_file`.
    pub fn read_file(file: &Path) -> Result<Vec<Self>, ConfigError> {
        let config: proto::ModelServerConfig = text::read(file, "ModelServerConfig")?;
        model_configs(config).map_err(|reason| ConfigError::invalid(file, reason))
    }
}

/// Returns the models of a configuration, or what is wrong with it.
pub(crate) fn model_configs(config: proto::ModelServerConfig) -> Result<Vec<ModelConfig>, String> {
    let list = match config.config {
        Some(Config::ModelConfigList(list)) => list,
        Some(Config::CustomModelConfig(_)) => return Err("`custom_model_config` is not supported".to_owned()),
        None => return Err("`model_config_list` is missing".to_owned()),
    };
    let mut names = BTreeSet::new();
    let mut models = Vec::with_capacity(list.config.len());
    for config in list.config {
        if !names.insert(config.name.clone()) {
            return Err(format!("model `{}` is configured twice", config.name));
        }
        models.push(model_config(config)?);
    }
    Ok(models)
}

fn model_config(config: proto::ModelConfig) -> Result<ModelConfig, String> {
    let name = config.name;
    if name.is_empty() {
        return Err(format!("the model with base path `{}` has no name", config.base_path));
    }
    let base_path = PathBuf::from(&config.base_path);
    if !base_path.is_absolute() {
        return Err(format!("model `{name}`: the base path `{}` is not absolute", config.base_path));
    }
    let version =
        |number: i64| u64::try_from(number).map_err(|_| format!("model `{name}`: the version {number} is below 0"));
    let policy = match config.model_version_policy.and_then(|policy| policy.policy_choice) {
        None => VersionPolicy::default(),
        Some(PolicyChoice::Latest(latest)) => VersionPolicy::Latest(latest.num_versions.max(1) as usize),
        Some(PolicyChoice::All(_)) => VersionPolicy::All,
        Some(PolicyChoice::Specific(specific)) => {
            VersionPolicy::Specific(specific.versions.into_iter().map(version).collect::<Result<_, _>>()?)
        }
    };
    let labels = config.version_labels.into_iter().map(|(label, number)| Ok((label, version(number)?)));
    let labels = labels.collect::<Result<_, String>>()?;
    let logs = config.logging_config.into_iter().chain(config.logging_configs);
    let logs = logs.map(model_log).collect::<Result<_, _>>().map_err(|reason| format!("model `{name}`: {reason}"))?;
    let platform = Some(config.model_platform).filter(|platform| !platform.is_empty());
    Ok(ModelConfig { name, base_path, policy, labels, platform: platform.unwrap_or_else(|| PLATFORM.to_owned()), logs })
}

/// The log that `logging_config` describes. TF Serving leaves the types of collectors to whoever builds it.
fn model_log(config: proto::LoggingConfig) -> Result<ModelLog, String> {
    let collector = config.log_collector_config.unwrap_or_default();
    let format = match collector.r#type.as_str() {
        "" | "tfrecord" | "prediction_log" => LogFormat::PredictionLogs,
        "jsonl" => LogFormat::JsonLines,
        "parquet" => LogFormat::Parquet,
        other => return Err(format!("there is no log collector of type `{other}`: `tfrecord`, `jsonl` or `parquet`")),
    };
    if collector.filename_prefix.is_empty() {
        return Err("`logging_config` lacks the `filename_prefix` of its `log_collector_config`".to_owned());
    }
    let sample = config.sampling_config.unwrap_or_default().sampling_rate;
    if !(0.0..=1.0).contains(&sample) {
        return Err(format!("the `sampling_rate` {sample} is not a fraction from 0 to 1"));
    }
    if sample == 0.0 {
        tracing::warn!(prefix = collector.filename_prefix, "nothing is logged: the `sampling_rate` is 0, or not given");
    }
    Ok(ModelLog { prefix: PathBuf::from(collector.filename_prefix), format, sample, exclude: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ModelConfig>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("models.config");
        std::fs::write(&file, text).unwrap();
        ModelConfig::read_file(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn policies_and_labels() {
        let models = read(
            r#"model_config_list {
                config { name: "a" base_path: "/m/a" model_version_policy { all {} } }
                config { name: "b" base_path: "/m/b" model_version_policy { latest { num_versions: 3 } } }
                config { name: "c" base_path: "/m/c" model_version_policy { specific { versions: [1, 2] } }
                         version_labels { key: "stable" value: 1 } }
                config { name: "d" base_path: "/m/d" model_platform: "tensorflow" }
            }"#,
        )
        .unwrap();
        let policies: Vec<_> = models.iter().map(|model| model.policy.clone()).collect();
        let specific = VersionPolicy::Specific([1, 2].into());
        assert_eq!(policies, [VersionPolicy::All, VersionPolicy::Latest(3), specific, VersionPolicy::Latest(1)]);
        assert_eq!(models[2].labels, [("stable".to_owned(), 1)].into());
        assert_eq!(models[3], ModelConfig::new("d", "/m/d"));
    }

    #[test]
    fn logs_of_single_models() {
        let models = read(
            r#"model_config_list { config { name: "a" base_path: "/m"
                logging_config { log_collector_config { filename_prefix: "/log/a" } sampling_config { sampling_rate: 0.1 } }
                logging_configs { log_collector_config { type: "jsonl" filename_prefix: "/log/b" } } } }"#,
        )
        .unwrap();
        let log =
            |prefix: &str, format, sample| ModelLog { prefix: prefix.into(), format, sample, exclude: Vec::new() };
        let expected = [log("/log/a", LogFormat::PredictionLogs, 0.1), log("/log/b", LogFormat::JsonLines, 0.0)];
        assert_eq!(models[0].logs, expected);
    }

    #[test]
    fn what_cannot_be_done_is_told_with_the_model() {
        for (text, reason) in [
            ("", "`model_config_list` is missing"),
            (r#"model_config_list { config { base_path: "/m" } }"#, "the model with base path `/m` has no name"),
            (r#"model_config_list { config { name: "a" base_path: "m" } }"#, "the base path `m` is not absolute"),
            (
                r#"model_config_list { config { name: "a" base_path: "/m" } config { name: "a" base_path: "/n" } }"#,
                "model `a` is configured twice",
            ),
            (
                r#"model_config_list { config { name: "a" base_path: "/m" version_labels { key: "x" value: -1 } } }"#,
                "model `a`: the version -1 is below 0",
            ),
            (
                r#"model_config_list { config { name: "a" base_path: "/m" logging_config { log_collector_config { type: "bigtable" } } } }"#,
                "model `a`: there is no log collector of type `bigtable`",
            ),
            (
                r#"model_config_list { config { name: "a" base_path: "/m" logging_config { sampling_config { sampling_rate: 1 } } } }"#,
                "model `a`: `logging_config` lacks the `filename_prefix`",
            ),
            (
                r#"model_config_list { config { name: "a" base_path: "/m" logging_config { log_collector_config { filename_prefix: "p" } sampling_config { sampling_rate: 1.5 } } } }"#,
                "model `a`: the `sampling_rate` 1.5 is not a fraction",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
