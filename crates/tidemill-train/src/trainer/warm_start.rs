//! The model that training continues: its trees, over the features of this training.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tidemill_core::{Digest, ExternalInput, StepContext, Task};
use tidemill_model::trees::{Link, Node, Split, Tree};
use tidemill_model::{ClassTrees, FeatureKind, FeatureSpec, Learner, LoadedModel, TransformGraph, TreeEnsemble};
use tidemill_onnx::{ForeignLink, ForeignTrees, load_model, load_package, read_trees};

use super::error::TrainError;

/// The input of the step.
pub(super) const INPUT: &str = "base_model";
/// The file of a package that has the digests of the others.
const MANIFEST: &str = "model.json";

/// A model to start from, with what is worth knowing about it.
pub(super) struct BaseModel {
    pub(super) learner: Learner,
    pub(super) warnings: Vec<String>,
}

impl BaseModel {
    /// The model of the input `base_model`, or in `path`, if there is one.
    pub(super) fn load(
        context: &StepContext<'_>,
        path: Option<&Path>,
        graph: &TransformGraph,
        task: &Task,
    ) -> Result<Option<Self>, TrainError> {
        let package = |model: &tidemill_model::Model| {
            let (features, theirs) = (graph.features(), model.graph().features());
            let order = order(theirs.iter().map(|spec| spec.name.as_str()), features)?;
            let mut warnings = Vec::new();
            let ours: HashMap<&str, _> = graph.definitions().iter().map(|own| (own.name.as_str(), own)).collect();
            let differs = |feature: &&tidemill_model::Feature| {
                ours.get(feature.name.as_str()).is_some_and(|own| own.mappers != feature.mappers)
            };
            let changed: Vec<String> =
                model.graph().definitions().iter().filter(differs).map(|one| format!("`{}`", one.name)).collect();
            if !changed.is_empty() {
                warnings.push(format!(
                    "the model to start from was trained on other values of {}: their steps were fitted to other rows",
                    changed.join(", ")
                ));
            }
            check_categories(theirs, features, &order)?;
            Ok(Self { learner: moved(model.learner(), &order, features.len())?, warnings })
        };
        if let Some(artifact) = context.inputs.get(INPUT) {
            return package(&load_package(&artifact.path)?).map(Some);
        }
        let Some(path) = path else { return Ok(None) };
        let path = context.project_dir.join(path);
        if path.is_dir()
            && let LoadedModel::Package(model) = load_model(&path)?
        {
            return package(&model).map(Some);
        }
        let trees = read_trees(&path)?;
        let mut order = order(trees.features.iter().map(String::as_str), graph.features());
        // Names of columns are lost where a matrix was trained on: then features are in order.
        if order.is_err() && trees.features.len() == graph.features().len() {
            order = Ok((0..trees.features.len()).map(Some).collect());
        }
        let learner = learner_of(trees, task)?;
        Ok(Some(Self { learner: moved(&learner, &order?, graph.features().len())?, warnings: Vec::new() }))
    }
}

/// What a change of the model in `path` changes: the step runs again.
pub(super) fn external_input(path: &Path, project_dir: &Path) -> Result<ExternalInput, TrainError> {
    let mut file: PathBuf = project_dir.join(path);
    if file.is_dir() {
        file.push(MANIFEST);
    }
    let bytes = std::fs::read(&file).map_err(|source| TrainError::WarmStart { path: path.to_owned(), source })?;
    Ok(ExternalInput { name: path.display().to_string(), digest: Digest::from_bytes(blake3::hash(&bytes).as_bytes()) })
}

/// For each feature of the model to start from its place among `features`, where it has one.
fn order<'a>(
    theirs: impl Iterator<Item = &'a str>,
    features: &[FeatureSpec],
) -> Result<Vec<Option<usize>>, TrainError> {
    let places: HashMap<&str, usize> = features.iter().enumerate().map(|(at, spec)| (spec.name.as_str(), at)).collect();
    let order: Vec<Option<usize>> = theirs.map(|name| places.get(name).copied()).collect();
    if order.iter().all(Option::is_none) {
        let reason = "no feature of it has the name of a feature here".to_owned();
        return Err(TrainError::BaseModel { reason });
    }
    Ok(order)
}

/// Codes of categories must mean the same.
fn check_categories(theirs: &[FeatureSpec], ours: &[FeatureSpec], order: &[Option<usize>]) -> Result<(), TrainError> {
    let differs = |(their, place): &(&FeatureSpec, &Option<usize>)| {
        let same = |at: &usize| match (their.kind, ours[*at].kind) {
            (FeatureKind::Numeric, FeatureKind::Numeric) => true,
            (own, other) => own == other,
        };
        place.is_some_and(|at| !same(&at))
    };
    match theirs.iter().zip(order).find(differs) {
        Some((their, _)) => Err(TrainError::BaseModel {
            reason: format!("its feature `{}` has other categories than the one here", their.name),
        }),
        None => Ok(()),
    }
}

/// The same model over features in another order.
fn moved(learner: &Learner, order: &[Option<usize>], features: usize) -> Result<Learner, TrainError> {
    let sum = |sum: &TreeEnsemble| -> Result<TreeEnsemble, TrainError> {
        let place = |feature: usize| {
            order.get(feature).copied().flatten().ok_or_else(|| TrainError::BaseModel {
                reason: format!("its trees ask feature {feature}, which is no feature here"),
            })
        };
        let node = |node: &Node| -> Result<Node, TrainError> {
            Ok(match node {
                Node::Leaf { value } => Node::Leaf { value: *value },
                Node::Split(split) => {
                    Node::Split(Split { feature: place(split.feature as usize)? as u32, ..split.clone() })
                }
            })
        };
        let tree = |tree: &Tree| -> Result<Tree, TrainError> {
            Ok(Tree::new(tree.nodes().iter().map(node).collect::<Result<_, _>>()?)?)
        };
        let trees = sum.trees().iter().map(tree).collect::<Result<_, _>>()?;
        let offset = sum.offset().map(place).transpose()?;
        let moved = TreeEnsemble::new(sum.task().clone(), features, sum.base_score(), trees)?;
        Ok(moved.with_link(sum.link())?.with_offset(offset)?)
    };
    Ok(match learner {
        Learner::Trees(trees) => Learner::Trees(sum(trees)?),
        Learner::ClassTrees(trees) => {
            let sums = trees.sums().iter().map(sum).collect::<Result<_, _>>()?;
            Learner::ClassTrees(ClassTrees::with_rule(trees.rule(), trees.task().names().to_vec(), sums)?)
        }
        // Refused by the learner, which knows what it continues.
        other => other.clone(),
    })
}

/// The model of trees of another program. Its classes have no names: they are those of this training, in order.
fn learner_of(trees: ForeignTrees, task: &Task) -> Result<Learner, TrainError> {
    let features = trees.features.len();
    let sums: Vec<(f64, Vec<Tree>)> = trees.sums;
    Ok(match trees.link {
        ForeignLink::One(link) => {
            let (base, trees) = sums.into_iter().next().unwrap_or_default();
            let own = match (link, task) {
                (Link::Logistic, _) => Task::Binary,
                (Link::Identity, Task::Ranking { .. }) => task.clone(),
                _ => Task::Regression,
            };
            Learner::Trees(TreeEnsemble::new(own, features, base, trees)?.with_link(link)?)
        }
        ForeignLink::Softmax => {
            let sum = |(base, trees)| TreeEnsemble::new(Task::Regression, features, base, trees);
            let sums = sums.into_iter().map(sum).collect::<Result<_, _>>()?;
            Learner::ClassTrees(ClassTrees::new(task.classes().to_vec(), sums)?)
        }
    })
}
