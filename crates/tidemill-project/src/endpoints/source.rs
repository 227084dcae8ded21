//! Endpoints as a source of the model server: the endpoints themselves, and the models that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidemill_core::Failure;
use tidemill_serving::endpoint::spec::{EndpointSpec, ModelReference, ReferenceVersion};
use tidemill_serving::endpoint::{path_model_name, path_servables};
use tidemill_serving::{LogFormat, ModelLog, Servable, Source, SourceError};

use super::file::EndpointFile;
use super::history::EndpointFolder;
use crate::registry::RegistrySource;

/// Lists endpoints and their models. What endpoints say is read again at every poll; a file that has become wrong changes
/// nothing.
pub struct EndpointSource {
    registry: Option<RegistrySource>,
    from: Origin,
    state: Mutex<State>,
}

/// Where endpoints come from.
enum Origin {
    /// A file: only its endpoint and the models that it names are served.
    File(PathBuf),
    /// Those that were applied in a project, besides all registered models.
    Applied(EndpointFolder),
}

#[derive(Default)]
struct State {
    specs: BTreeMap<String, Arc<EndpointSpec>>,
    /// What was last reported: an error is reported once, not at every poll.
    reported: BTreeMap<String, String>,
}

impl EndpointSource {
    /// The endpoint in a file, which must be without mistakes now. `registry` has the registered models that it names.
    pub fn of_file(file: EndpointFile, registry: Option<RegistrySource>) -> Self {
        let specs = BTreeMap::from([(file.spec.endpoint.clone(), Arc::new(file.spec))]);
        let state = State { specs, ..State::default() };
        Self { registry, from: Origin::File(file.path), state: Mutex::new(state) }
    }

    /// The endpoints that were applied in a project, and all models of its registry.
    pub fn applied(folder: EndpointFolder, registry: RegistrySource) -> Self {
        Self { registry: Some(registry), from: Origin::Applied(folder), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the endpoints as they are now.
    fn refresh(&self) {
        match &self.from {
            Origin::File(path) => {
                let name = path.display().to_string();
                match EndpointFile::read(path) {
                    Ok(file) => {
                        let mut state = self.state();
                        state.reported.remove(&name);
                        state.put(BTreeMap::from([(file.spec.endpoint.clone(), file.spec)]));
                    }
                    Err(failure) => self.state().report(&name, &failure),
                }
            }
            Origin::Applied(folder) => {
                let revisions = match folder.current() {
                    Ok(revisions) => revisions,
                    Err(failure) => return self.state().report("endpoints", &failure),
                };
                let mut state = self.state();
                let mut specs = BTreeMap::new();
                for revision in revisions {
                    let name = revision.endpoint.clone();
                    match revision.file() {
                        Ok(Some(file)) => {
                            specs.insert(name, file.spec);
                        }
                        Ok(None) => {}
                        Err(failure) => {
                            state.report(&name, &failure);
                            specs.extend(state.specs.get(&name).map(|spec| (name.clone(), EndpointSpec::clone(spec))));
                        }
                    }
                }
                state.put(specs);
            }
        }
    }
}

impl State {
    /// Takes over what has changed.
    fn put(&mut self, specs: BTreeMap<String, EndpointSpec>) {
        self.specs.retain(|name, _| specs.contains_key(name));
        for (name, spec) in specs {
            if self.specs.get(&name).is_none_or(|known| **known != spec) {
                self.specs.insert(name, Arc::new(spec));
            }
        }
    }

    fn report(&mut self, of: &str, failure: &Failure) {
        if self.reported.get(of) != Some(&failure.message) {
            tracing::warn!(endpoint = of, error = failure.message, "endpoint stays as it was");
            self.reported.insert(of.to_owned(), failure.message.clone());
        }
    }
}

/// The registered models of endpoints, with the versions that they name by number.
fn named(specs: &[Arc<EndpointSpec>]) -> (BTreeSet<String>, BTreeSet<(String, u64)>) {
    let (mut names, mut pinned) = (BTreeSet::new(), BTreeSet::new());
    for model in specs.iter().flat_map(|spec| spec.all_models().into_values()) {
        let Some(reference) = model.model.filter(|_| model.url.is_none()) else { continue };
        let Ok(reference) = reference.parse::<ModelReference>() else { continue };
        if let ReferenceVersion::Number(version) = reference.version {
            pinned.insert((reference.name.clone(), version));
        }
        names.insert(reference.name);
    }
    (names, pinned)
}

#[async_trait]
impl Source for EndpointSource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        self.refresh();
        let specs = self.endpoints();
        let (names, pinned) = named(&specs);
        let mut servables = match &self.registry {
            Some(registry) => registry.list_with(&pinned).await?,
            None => Vec::new(),
        };
        if matches!(self.from, Origin::File(_)) {
            servables.retain(|servable| names.contains(&servable.name));
        }
        for spec in &specs {
            for (name, model) in &spec.models {
                let Some(path) = &model.path else { continue };
                let served = path_model_name(&spec.endpoint, name);
                match path_servables(&served, path) {
                    Ok(found) => servables.extend(found),
                    Err(error) => {
                        let failure = Failure::new(tidemill_core::Code::Io, error.to_string());
                        self.state().report(&served, &failure);
                    }
                }
            }
        }
        Ok(servables)
    }

    fn may_be_empty(&self) -> bool {
        // Rules and models of other servers need no model here.
        !self.state().specs.is_empty()
    }

    fn endpoints(&self) -> Vec<Arc<EndpointSpec>> {
        self.state().specs.values().map(Arc::clone).collect()
    }

    fn endpoint_folder(&self) -> Option<PathBuf> {
        match &self.from {
            Origin::Applied(folder) => Some(folder.dir().to_owned()),
            Origin::File(_) => None,
        }
    }

    fn logs(&self) -> BTreeMap<String, Vec<ModelLog>> {
        let log = |spec: &Arc<EndpointSpec>| {
            let log = spec.log.as_ref()?;
            let prefix = log.folder.as_ref()?.join(&spec.endpoint);
            let (format, sample, exclude) = (LogFormat::JsonLines, log.sample, log.exclude.clone());
            Some((spec.endpoint.clone(), vec![ModelLog { prefix, format, sample, exclude }]))
        };
        self.endpoints().iter().filter_map(log).collect()
    }
}
