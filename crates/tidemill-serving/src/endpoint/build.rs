//! From an endpoint file and loaded models to a target.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use tidemill_core::{ParamIssue, Signature, TensorSpec};
use tidemill_model::{BatchBuilder, Expression, InputShape, Strictness, arrow_type, input_type};
use xxhash_rust::xxh3::xxh3_64;

use super::condition::{HeaderCondition, Window};
use super::expression::ExpressionModel;
use super::fallback::Fallback;
use super::features::FeatureTable;
use super::graph::{Graph, Kind, Node};
use super::model::{Projection, VersionModel};
use super::parallel::{Member, Parallel};
use super::remote::Remote;
use super::rollout::{Rollout, Watch, WatchedUnit};
use super::route::{Destination, Route, Rule, Unit};
use super::sequence::{Sequence, SequenceStep};
use super::shadow::Shadow;
use super::signature::{EndpointSignature, bound, endpoint_signature, fixed_row, map_name, outputs_of, renamed};
use super::spec::{EndpointSpec, FallbackSpec, ModelReference, ModelSpec, ReferenceVersion, RuleSpec};
use super::split::Split;
use super::state::EndpointState;
use super::target::{Core, EndpointTarget};
use crate::inference::compute_pool::{ComputePool, PoolOptions};
use crate::inference::signature::TargetSignature;
use crate::inference::target::Target;
use crate::models::versions::Selector;

/// The models of an endpoint, resolved.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Loaded versions by the name of the model in the file.
    pub(super) targets: BTreeMap<String, Arc<dyn Target>>,
    /// Why others have none.
    pub(super) missing: BTreeMap<String, String>,
}

impl Resolved {
    /// Whether two moments have the same versions.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same = |(name, target): (&String, &Arc<dyn Target>)| {
            other.targets.get(name).is_some_and(|other| Arc::ptr_eq(target, other))
        };
        self.targets.len() == other.targets.len() && self.targets.iter().all(same) && self.missing == other.missing
    }
}

/// The name and the version of a model of this server; `None` if the model is not loaded here.
pub(super) fn local(endpoint: &str, name: &str, model: &ModelSpec) -> Option<(String, Selector)> {
    if model.path.is_some() {
        return Some((path_model_name(endpoint, name), Selector::Latest));
    }
    let reference: ModelReference = model.model.as_ref().filter(|_| model.url.is_none())?.parse().ok()?;
    let selector = match reference.version {
        ReferenceVersion::Default => Selector::Latest,
        ReferenceVersion::Alias(alias) => Selector::Label(alias),
        ReferenceVersion::Number(number) => Selector::Version(number),
    };
    Some((reference.name, selector))
}

/// The name under which a model that an endpoint has by its path is loaded.
pub fn path_model_name(endpoint: &str, name: &str) -> String {
    format!("{endpoint}.{name}")
}

/// What a build made besides the target.
pub(super) struct Built {
    pub(super) target: Arc<EndpointTarget>,
    /// Tables that must be read for the first time.
    pub(super) new_tables: Vec<Arc<FeatureTable>>,
    /// Models of other servers that must be asked for their signatures.
    pub(super) new_remotes: Vec<Arc<Remote>>,
}

/// Makes the target of an endpoint.
pub(super) fn build(
    spec: &EndpointSpec,
    resolved: &Resolved,
    state: &mut EndpointState,
    pool: PoolOptions,
) -> Result<Built, (Vec<ParamIssue>, Vec<Arc<FeatureTable>>, Vec<Arc<Remote>>)> {
    state.keep_only(spec);
    let models = spec.all_models();
    let (tables, new_tables) = state.tables(spec);
    let (mut remotes, mut new_remotes, mut issues) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, model) in &models {
        let Some(url) = &model.url else { continue };
        match state.remote(name, url, model.model.as_deref().unwrap_or(name)) {
            Ok((remote, new)) => {
                new_remotes.extend(new.then(|| Arc::clone(&remote)));
                remotes.insert(name.clone(), remote);
            }
            Err(error) => issues.push(ParamIssue::new(["models", name, "url"], error)),
        }
    }
    let mut known: BTreeMap<String, Signature> =
        resolved.targets.iter().map(|(name, target)| (name.clone(), target.signature().tensors.clone())).collect();
    for (name, remote) in &remotes {
        known.extend(remote.signature().map(|signature| (name.clone(), signature.clone())));
    }
    let mut looked_up: BTreeSet<String> = tables.iter().flat_map(|table| table.columns()).collect();
    looked_up.extend(spec.features.values().flat_map(|feature| feature.default.keys().cloned()));
    if !issues.is_empty() {
        return Err((issues, new_tables, new_remotes));
    }
    let mut signature = match endpoint_signature(spec, &known, &looked_up) {
        Ok(signature) if signature.tensors.outputs.is_empty() => {
            let why = resolved.missing.iter().map(|(name, why)| format!("`{name}`: {why}")).collect::<Vec<_>>();
            let message = format!("no model of the endpoint is available: {}", why.join("; "));
            return Err((vec![ParamIssue::new(["models"], message)], new_tables, new_remotes));
        }
        Ok(signature) => signature,
        Err(issues) => return Err((issues, new_tables, new_remotes)),
    };
    let target_signature = target_signature(spec, resolved, &signature.tensors);
    // Rows of requests have the schema of this very layout: models recognise it without comparing columns.
    if let Ok(rows) = target_signature.batch_builder(0).finish(0) {
        signature.schema = rows.schema();
    }
    let subject = spec.rollout.as_ref().and_then(|rollout| subject(&rollout.candidate, &models, resolved));
    let rollout = state.rollout(&spec.endpoint, spec.rollout.as_ref(), subject);
    let mut builder = Builder { rollout, spec, models: &models, resolved, remotes, known, signature, state, issues };
    let graph = builder.graph();
    let core = Core {
        route: builder.route(),
        shadows: builder.shadows(),
        rollout: builder.rollout.clone(),
        primary: spec.primary().and_then(|name| builder.index(name)),
        tables,
        graph: Arc::new(graph),
    };
    if !builder.issues.is_empty() {
        return Err((builder.issues, new_tables, new_remotes));
    }
    let target = EndpointTarget { signature: target_signature, pool: ComputePool::new(pool), core: Arc::new(core) };
    Ok(Built { target: Arc::new(target), new_tables, new_remotes })
}

struct Builder<'a> {
    rollout: Option<Arc<Rollout>>,
    spec: &'a EndpointSpec,
    models: &'a BTreeMap<String, ModelSpec>,
    resolved: &'a Resolved,
    remotes: BTreeMap<String, Arc<Remote>>,
    known: BTreeMap<String, Signature>,
    signature: EndpointSignature,
    state: &'a mut EndpointState,
    issues: Vec<ParamIssue>,
}

impl Builder<'_> {
    /// The place of a model among the nodes.
    fn index(&self, name: &str) -> Option<usize> {
        self.models.keys().position(|known| known == name)
    }

    fn graph(&mut self) -> Graph {
        let cache = self.spec.cache.as_ref().and_then(|cache| cache.predictions);
        let cache = self.state.cache(cache);
        let nodes: Vec<Node> = self.models.iter().map(|(name, model)| self.node(name, model)).collect();
        let outputs = columns_of(&self.signature.tensors);
        let mut graph = Graph { nodes, cache, outputs };
        self.composite_generations(&mut graph);
        graph
    }

    fn node(&mut self, name: &str, model: &ModelSpec) -> Node {
        let spec = self.spec;
        let limits = model.limits.or(spec.limits).unwrap_or_default();
        let breaker = model.circuit_breaker.or(spec.circuit_breaker);
        let guard = self.state.guard(name, limits, breaker);
        let target = self.resolved.targets.get(name);
        let version = target.and_then(|target| target.signature().version);
        let (mut generation, mut keyed_by) = (0, None);
        let kind = match target {
            Some(target) => {
                generation = self.state.generation(name, target);
                let inputs = self.projection(model, target);
                keyed_by = Some(inputs.positions());
                Kind::Version(VersionModel { target: Arc::clone(target), inputs })
            }
            None => {
                self.state.forget(name);
                self.kind(name, model)
            }
        };
        if let Some(text) = &model.expression {
            generation = xxh3_64(text.as_bytes());
        }
        // A reference to a version names it already.
        let version_told = version.filter(|_| !ModelReference::is_explicit(name));
        let label = version_told.map_or_else(|| name.to_owned(), |version| format!("{name}/{version}"));
        Node {
            name: name.to_owned(),
            kind,
            guard,
            off: model.off,
            threshold: model.threshold,
            renamed: model.outputs.iter().map(|(name, own)| (own.clone(), name.clone())).collect(),
            fallback: self.fallbacks(name, model),
            watch: self.watch(name),
            cached_label: Arc::from(format!("{label} (cache)")),
            label: Arc::from(label),
            version,
            generation,
            seed: xxh3_64(name.as_bytes()),
            keyed_by,
        }
    }

    fn kind(&mut self, name: &str, model: &ModelSpec) -> Kind {
        if let Some(remote) = self.remotes.get(name) {
            return Kind::Remote(Arc::clone(remote));
        }
        if let Some(text) = &model.expression {
            return match bound(text, &self.signature.extended) {
                Some(bound) => {
                    let single = self.signature.tensors.output_tensors();
                    let datatype = match (&single[..], bound.datatype()) {
                        ([only], _) if only.width.is_none() => arrow_type(only.datatype),
                        (_, ArrowType::Null) => ArrowType::Float64,
                        (_, own) => own,
                    };
                    let endpoint = &self.signature.schema;
                    Kind::Expression(ExpressionModel::new(endpoint, &self.signature.extended, bound, datatype))
                }
                None => Kind::Missing("its expression uses inputs that no model takes".to_owned()),
            };
        }
        if let Some(steps) = &model.sequence {
            let step = |step: &super::spec::StepSpec| {
                let when = step.when.as_ref().and_then(|text| Expression::parse(text).ok());
                Some(SequenceStep { node: self.index(&step.model)?, input: step.input, when })
            };
            return Kind::Sequence(Sequence { steps: steps.iter().filter_map(step).collect() });
        }
        if let Some(parallel) = &model.parallel {
            let schema = &self.signature.extended;
            let member = |name: &String| {
                let outputs = outputs_of(self.models, &self.known, name, Some(schema)).unwrap_or_default();
                let alone = outputs.len() == 1;
                let outputs =
                    outputs.into_iter().map(|output| (output.name.clone(), map_name(name, &output.name, alone)));
                let weight = parallel.weights.get(name).copied().unwrap_or(1.0);
                Some(Member { node: self.index(name)?, name: name.clone(), weight, outputs: outputs.collect() })
            };
            let on = |name: &&String| self.models.get(*name).is_some_and(|model| !model.off);
            return Kind::Parallel(Parallel {
                members: parallel.models.iter().filter(on).filter_map(member).collect(),
                combine: parallel.combine,
                partial: parallel.partial,
                answers_min: parallel.answers_min,
            });
        }
        Kind::Missing(self.resolved.missing.get(name).cloned().unwrap_or_else(|| "it is not loaded".to_owned()))
    }

    fn projection(&self, model: &ModelSpec, target: &Arc<dyn Target>) -> Projection {
        let signature = target.signature();
        // The columns of the model itself, in its own order and types.
        let own: SchemaRef = match signature.batch_builder(0).finish(0) {
            Ok(batch) => batch.schema(),
            Err(_) => Arc::clone(&InputShape::of(&signature.tensors).schema),
        };
        let named = |input: &TensorSpec| {
            let name = renamed(model, &input.name).to_owned();
            (name, input.optional)
        };
        let names: Vec<(String, bool)> = signature.tensors.inputs.iter().map(named).collect();
        let endpoint = &self.signature.tensors.inputs;
        let checks = names
            .iter()
            .any(|(name, optional)| !optional && endpoint.iter().any(|input| input.name == *name && input.optional));
        Projection::new(&self.signature.schema, &own, names, checks)
    }

    fn fallbacks(&mut self, name: &str, model: &ModelSpec) -> Vec<Fallback> {
        let (items, place) = match &model.fallback {
            Some(own) => (own, vec!["models".to_owned(), name.to_owned(), "fallback".to_owned()]),
            None => (&self.spec.fallback, vec!["fallback".to_owned()]),
        };
        let mut fallbacks = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item {
                FallbackSpec::Default { default } => match fixed_row(default, &self.signature.tensors) {
                    Ok(row) => fallbacks.push(Fallback::Outputs(row)),
                    Err((output, message)) => {
                        let keys = [at.to_string(), "default".to_owned()].into_iter().chain(output);
                        let issue = ParamIssue::new(place.iter().cloned().chain(keys), message);
                        if !self.issues.contains(&issue) {
                            self.issues.push(issue);
                        }
                    }
                },
                FallbackSpec::Named(word) if word == FallbackSpec::CACHED => fallbacks.push(Fallback::Cached),
                FallbackSpec::Named(word) if word == FallbackSpec::UNAVAILABLE => fallbacks.push(Fallback::Unavailable),
                // A model does not stand in for itself.
                FallbackSpec::Named(other) if other == name => {}
                FallbackSpec::Named(other) => fallbacks.extend(self.index(other).map(Fallback::Model)),
            }
        }
        fallbacks
    }

    /// The answer of a composite model changes with any of its parts.
    fn composite_generations(&self, graph: &mut Graph) {
        for _ in 0..self.models.len() {
            let generations: HashMap<&str, u64> =
                self.models.keys().zip(&graph.nodes).map(|(name, node)| (name.as_str(), node.generation)).collect();
            let next: Vec<Option<u64>> = self
                .models
                .values()
                .map(|model| {
                    let parts = model.steps();
                    let bytes: Vec<u8> = parts
                        .iter()
                        .flat_map(|(name, _)| generations.get(name).copied().unwrap_or(0).to_le_bytes())
                        .collect();
                    (!parts.is_empty()).then(|| xxh3_64(&bytes))
                })
                .collect();
            let mut changed = false;
            for (node, generation) in graph.nodes.iter_mut().zip(next) {
                if let Some(generation) = generation.filter(|generation| *generation != node.generation) {
                    node.generation = generation;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn route(&mut self) -> Route {
        let only = [RuleSpec { to: self.models.keys().next().cloned(), ..RuleSpec::default() }];
        let specs = if self.spec.route.is_empty() { &only } else { &self.spec.route[..] };
        let last = specs.len() - 1;
        let rules = specs.iter().enumerate().map(|(at, rule)| match &self.rollout {
            _ if at < last => self.rule(rule),
            Some(rollout) => self.rule(&with_share(rule, &rollout.spec.candidate, rollout.share())),
            // As long as the candidate is not there, its rollout has not begun.
            None => match &self.spec.rollout {
                Some(rollout) => self.rule(&with_share(rule, &rollout.candidate, 0.0)),
                None => self.rule(rule),
            },
        });
        let rules = rules.collect();
        Route { rules, draws: Arc::clone(&self.state.draws) }
    }

    fn rule(&self, rule: &RuleSpec) -> Rule {
        let on = |name: &str| self.models.get(name).is_some_and(|model| !model.off);
        let to = match (&rule.to, &rule.split) {
            (Some(name), _) => match self.index(name).filter(|_| on(name)) {
                Some(node) => Destination::Node(node),
                None => Destination::Off,
            },
            (None, Some(split)) => {
                let arms: Vec<(&str, usize, f64)> = split
                    .iter()
                    .filter(|(name, weight)| on(name) && **weight > 0.0)
                    .filter_map(|(name, weight)| Some((name.as_str(), self.index(name)?, *weight)))
                    .collect();
                let salt = rule.salt.as_deref().unwrap_or(&self.spec.endpoint);
                match arms.is_empty() {
                    true => Destination::Off,
                    false => Destination::Split { split: Split::new(salt, arms), by: self.unit(rule.by.as_deref()) },
                }
            }
            (None, None) => Destination::Off,
        };
        Rule {
            when: rule.when.as_ref().and_then(|text| bound(text, &self.signature.schema)),
            headers: rule.header.iter().filter_map(|(name, of)| HeaderCondition::new(name, of)).collect(),
            time: rule.time.as_ref().and_then(|time| Window::new(time).ok()),
            to,
        }
    }

    /// What a rollout observes of a model.
    fn watch(&self, name: &str) -> Option<Watch> {
        let rollout = self.rollout.as_ref()?;
        let rule = self.spec.route.last()?;
        rule.split.as_ref()?.get(name)?;
        let unit = match self.unit(rule.by.as_deref()) {
            Unit::Input(at) => WatchedUnit::Input(at),
            Unit::Header(name) => WatchedUnit::Header(name),
            Unit::Request => WatchedUnit::None,
        };
        Some(Watch { rollout: Arc::clone(rollout), is_candidate: rollout.spec.candidate == name, unit })
    }

    fn unit(&self, by: Option<&str>) -> Unit {
        let Some(by) = by else { return Unit::Request };
        if let Some(name) = by.strip_prefix("header:") {
            return name.parse().map_or(Unit::Request, Unit::Header);
        }
        self.signature.schema.index_of(by).map_or(Unit::Request, Unit::Input)
    }

    fn shadows(&mut self) -> Vec<Shadow> {
        let mut shadows = Vec::new();
        for spec in &self.spec.shadow {
            if let Some(node) = self.index(&spec.to) {
                let state = self.state.shadow(spec);
                shadows.push(Shadow::new(spec, node, state));
            }
        }
        shadows
    }
}

/// What a rollout is of: another definition or version of the candidate is another rollout. `None`: it is not loaded yet.
fn subject(candidate: &str, models: &BTreeMap<String, ModelSpec>, resolved: &Resolved) -> Option<String> {
    if resolved.missing.contains_key(candidate) {
        return None;
    }
    let version = resolved.targets.get(candidate).and_then(|target| target.signature().version);
    let model = serde_json::to_string(models.get(candidate)?).ok()?;
    Some(format!("{model} {}", version.map_or_else(String::new, |version| format!("version {version}"))))
}

/// A split in which a model has this share, and the others the rest in their proportions.
fn with_share(rule: &RuleSpec, candidate: &str, share: f64) -> RuleSpec {
    let Some(split) = &rule.split else { return rule.clone() };
    let others: f64 = split.iter().filter(|(name, _)| *name != candidate).map(|(_, weight)| weight).sum();
    let weight = |(name, weight): (&String, &f64)| {
        let share = if name == candidate { share } else { weight / others * (100.0 - share) };
        (name.clone(), share)
    };
    RuleSpec { split: Some(split.iter().map(weight).collect()), ..rule.clone() }
}

/// The columns of answers: one for each output tensor.
fn columns_of(tensors: &Signature) -> SchemaRef {
    let outputs = tensors.output_tensors();
    let fields = outputs.iter().map(|output| {
        let item = arrow_type(output.datatype);
        let datatype = match output.width {
            Some(width) => ArrowType::FixedSizeList(Arc::new(Field::new("item", item, false)), width as i32),
            None => input_type(&TensorSpec::new(output.name, output.datatype, false).with_form(output.form)),
        };
        Field::new(output.name, datatype, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The signature that protocols use: the primary model's as far as it is the endpoint's.
fn target_signature(spec: &EndpointSpec, resolved: &Resolved, tensors: &Signature) -> TargetSignature {
    let primary = spec.primary().and_then(|name| resolved.targets.get(name)).map(|primary| primary.signature());
    let name = spec.endpoint.clone();
    let layout = || BatchBuilder::new(&Arc::new(InputShape::of(tensors)), 0, Strictness::Checked).layout();
    let Some(primary) = primary else {
        return TargetSignature {
            name,
            version: None,
            platform: "tidemill_endpoint",
            task: None,
            tensors: tensors.clone(),
            checks: None,
            layout: layout(),
            graph: None,
        };
    };
    // The nodes of an endpoint handle rows: a model of tensors is asked by its columns there.
    let graph = None;
    let same_outputs = primary.tensors.output_tensors() == tensors.output_tensors();
    let task = primary.task.clone().filter(|_| same_outputs);
    if primary.tensors.inputs != tensors.inputs {
        return TargetSignature { name, task, tensors: tensors.clone(), layout: layout(), graph, ..primary.clone() };
    }
    // The groups of inputs and outputs stay as they are.
    let tensors = if same_outputs { primary.tensors.clone() } else { tensors.clone() };
    TargetSignature { name, task, tensors, graph, ..primary.clone() }
}
