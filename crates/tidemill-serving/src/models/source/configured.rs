//! Several folders of versions, as a configuration lists them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{FolderSource, Servable, Source, SourceError};
use crate::{ConfigError, ModelConfig, ModelLog};

/// Lists the versions of every model of a configuration. The configuration may come from a file, which is reloaded when
/// it changes, and from requests. Clones share it.
///
/// If a folder cannot be read, its model stays as last listed. An invalid configuration file changes nothing either.
#[derive(Debug, Clone)]
pub struct ConfiguredSource {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    models: Vec<ModelConfig>,
    /// What was listed last, by model.
    listed: BTreeMap<String, Vec<Servable>>,
    /// The last error of each model: it is reported once, not at every poll.
    wrong: BTreeMap<String, String>,
    file: Option<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    content: Vec<u8>,
    interval: Duration,
    next: Instant,
}

impl ConfiguredSource {
    /// Serves `models`.
    pub fn new(models: Vec<ModelConfig>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State { models, listed: BTreeMap::new(), wrong: BTreeMap::new(), file: None })),
        }
    }

    /// Serves the models in the file, which is read again every `interval` (`None`: never). See
    /// [`ModelConfig::read_file`].
    pub fn of_file(path: impl Into<PathBuf>, interval: Option<Duration>) -> Result<Self, ConfigError> {
        let path = path.into();
        let content = std::fs::read(&path).unwrap_or_default();
        let source = Self::new(ModelConfig::read_file(&path)?);
        if let Some(interval) = interval {
            source.state().file = Some(File { path, content, interval, next: Instant::now() + interval });
        }
        Ok(source)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scan(&self) -> Vec<Servable> {
        let mut state = self.state();
        state.follow_file();
        let State { models, listed, wrong, .. } = &mut *state;
        let configured = |name: &str| models.iter().any(|model| model.name == name);
        listed.retain(|name, _| configured(name));
        wrong.retain(|name, _| configured(name));
        let mut servables = Vec::new();
        for model in models {
            match FolderSource::of(model.clone()).scan() {
                Ok(found) => {
                    wrong.remove(&model.name);
                    servables.extend_from_slice(&found);
                    listed.insert(model.name.clone(), found);
                }
                Err(error) => {
                    let text = with_cause(&error);
                    if wrong.get(&model.name) != Some(&text) {
                        tracing::warn!(model = model.name, "the model stays as it is: {text}");
                        wrong.insert(model.name.clone(), text);
                    }
                    servables.extend(listed.get(&model.name).into_iter().flatten().cloned());
                }
            }
        }
        servables
    }
}

fn with_cause(error: &SourceError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// A model keeps its platform as long as it is configured, as in TF Serving.
fn same_platforms(before: &[ModelConfig], after: &[ModelConfig]) -> Result<(), SourceError> {
    for model in after {
        let was = before.iter().find(|other| other.name == model.name).map_or(&model.platform, |other| &other.platform);
        if *was != model.platform {
            let (name, is) = (&model.name, &model.platform);
            let message = format!(
                "Illegal to change a model's platform: model `{name}` has `{was}`, and now `{is}` is configured"
            );
            return Err(SourceError::new(message).of_request());
        }
    }
    Ok(())
}

impl State {
    fn follow_file(&mut self) {
        let Some(file) = &mut self.file else { return };
        let now = Instant::now();
        if now < file.next {
            return;
        }
        file.next = now + file.interval;
        match file.read() {
            Ok(Some(models)) => {
                if let Err(error) = same_platforms(&self.models, &models) {
                    tracing::warn!(%error, "the configuration stays as it was");
                    return;
                }
                tracing::info!(file = %file.path.display(), models = models.len(), "the configuration has changed");
                self.models = models;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the configuration stays as it was"),
        }
    }
}

impl File {
    /// The models, if the file has changed since the last read.
    fn read(&mut self) -> Result<Option<Vec<ModelConfig>>, ConfigError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| ConfigError::Read { file: path.to_owned(), source });
        let content = read(&self.path)?;
        if content == self.content {
            return Ok(None);
        }
        self.content = content;
        ModelConfig::read_file(&self.path).map(Some)
    }
}

#[async_trait]
impl Source for ConfiguredSource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        let source = self.clone();
        tokio::task::spawn_blocking(move || source.scan())
            .await
            .map_err(|error| SourceError::new("listing the base folders was interrupted").with_source(error))
    }

    fn expected(&self) -> Vec<String> {
        self.state().models.iter().map(|model| model.name.clone()).collect()
    }

    /// A configuration without models is valid.
    fn may_be_empty(&self) -> bool {
        self.state().models.is_empty()
    }

    fn configured(&self) -> Vec<ModelConfig> {
        self.state().models.clone()
    }

    fn logs(&self) -> BTreeMap<String, Vec<ModelLog>> {
        let state = self.state();
        let logging = state.models.iter().filter(|model| !model.logs.is_empty());
        logging.map(|model| (model.name.clone(), model.logs.clone())).collect()
    }

    fn configure(&self, models: Vec<ModelConfig>) -> Result<(), SourceError> {
        let mut state = self.state();
        same_platforms(&state.models, &models)?;
        state.models = models;
        Ok(())
    }
}
