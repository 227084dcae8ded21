//! What a [`Trainer`](crate::Trainer) can fit.
//!
//! A learner is a name in the pipeline file with its parameters. It gets rows of features as the transform graph gives
//! them; binning, encoding and scaling are its own business. It hands over a fitted model and the facts that the report,
//! the card and the curves are made of. To add one, implement [`Learner`] and [`Estimator`] in a file or folder of its own
//! and put it in [`LEARNERS`].

mod data;
mod fitted;
mod loss;
mod names;
mod side_by_side;
mod standard;
mod watch;

use std::path::Path;

use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidemill_core::{
    ComponentError, ExternalInput, ParamIssue, Task, TaskKind, add_issues, advice_for, advise, parse_params_partly,
    suggest,
};

pub use data::{SplitRows, TrainingData};
pub(crate) use fitted::predictions;
pub use fitted::{FittedLearner, Importance, Judged, Measure, class_metrics};
pub(crate) use loss::{loss_text, metrics_of, row_loss};
pub(crate) use names::{category, definitions};
pub(crate) use side_by_side::side_by_side;
pub(crate) use standard::centre_and_unit;
pub use watch::{Unwatched, Watch};

/// One kind of learner.
pub trait Learner: Sync {
    /// The name in the pipeline file: `gradient_boosting`.
    fn name(&self) -> &'static str;

    /// The schema of its parameters.
    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// What is worth searching of it, as a space is written in a file: see [`tidemill_tune::Space`]. `None`: nobody knows.
    fn space(&self) -> Option<Value> {
        None
    }

    /// Points of [`space`](Self::space) that are known to be good for many tables: a search begins with them.
    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        Vec::new()
    }

    /// Reads its parameters. Every issue points at its place below the learner's name.
    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>>;
}

/// A point that a search begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPoint {
    /// About what it costs beside a linear model. The cheapest of all learners come first.
    pub cost: u32,
    /// A value for each parameter of the space.
    pub params: Value,
}

impl StartPoint {
    /// A point.
    pub(crate) fn new(cost: u32, params: Value) -> Self {
        Self { cost, params }
    }
}

/// An input of training that not every learner has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoreInput {
    /// A number that is added to the score of each row.
    Offset,
    /// A model that training continues.
    BaseModel,
}

/// A learner with its parameters, ready to be fitted.
pub trait Estimator: Send + Sync {
    /// The kinds of tasks that it can learn.
    fn tasks(&self) -> &'static [TaskKind];

    /// Whether it makes use of an input that not every learner has a use for.
    fn takes(&self, _input: MoreInput) -> bool {
        false
    }

    /// The task as its parameters refine it, where they do: several quantiles in place of one number.
    fn refined(&self, task: Task) -> Task {
        task
    }

    /// Every parameter with its value, for the package.
    fn params(&self) -> Value;

    /// Whether something is decided on validation rows: when to stop, or between settings.
    fn needs_validation(&self) -> bool;

    /// What it reads beside the rows, with a digest of its content: when it changes, the step runs again.
    fn external_inputs(&self, _project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        Ok(Vec::new())
    }

    /// Fits a model to the training rows. The result depends on the arguments only, not on the number of threads of the
    /// rayon pool it runs in.
    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError>;
}

/// Every learner.
pub const LEARNERS: &[&dyn Learner] = &[
    &crate::gbdt::BoostingLearner,
    &crate::gbdt::LIGHTGBM,
    &crate::gbdt::XGBOOST,
    &crate::linear::LinearLearner,
    &crate::mlp::MlpLearner,
    &crate::mlp::WideAndDeepLearner,
    &crate::forest::ForestLearner,
    &crate::additive::AdditiveLearner,
    &crate::neighbors::NeighborsLearner,
    &crate::ensemble::EnsembleLearner,
    &crate::command::CommandLearner,
];

/// What other libraries call their learners, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("lgbm", LIGHTGBM),
    ("LGBMRanker", LIGHTGBM),
    ("XGBRanker", XGBOOST),
    ("LightGBM", LIGHTGBM),
    ("LGBMClassifier", LIGHTGBM),
    ("LGBMRegressor", LIGHTGBM),
    ("xgb", XGBOOST),
    ("XGBoost", XGBOOST),
    ("XGBClassifier", XGBOOST),
    ("XGBRegressor", XGBOOST),
    ("catboost", BOOSTING),
    ("CatBoostClassifier", BOOSTING),
    ("CatBoostRegressor", BOOSTING),
    ("gbdt", BOOSTING),
    ("gbm", BOOSTING),
    ("boosting", BOOSTING),
    ("GradientBoostingClassifier", BOOSTING),
    ("GradientBoostingRegressor", BOOSTING),
    ("HistGradientBoostingClassifier", BOOSTING),
    ("HistGradientBoostingRegressor", BOOSTING),
    ("RandomForestClassifier", FOREST),
    ("RandomForestRegressor", FOREST),
    ("rf", FOREST),
    ("forest", FOREST),
    ("extra_trees", EXTRA_TREES),
    ("ExtraTreesClassifier", EXTRA_TREES),
    ("ExtraTreesRegressor", EXTRA_TREES),
    ("decision_tree", "write `gradient_boosting: { rounds: 1, learning_rate: 1 }` for a single tree"),
    ("logistic_regression", LINEAR),
    ("LogisticRegression", LINEAR),
    ("linear_regression", LINEAR),
    ("LinearRegression", LINEAR),
    ("ridge", LINEAR),
    ("Ridge", LINEAR),
    ("lasso", LASSO),
    ("Lasso", LASSO),
    ("LassoCV", LASSO),
    ("elastic_net", ELASTIC_NET),
    ("ElasticNet", ELASTIC_NET),
    ("ElasticNetCV", ELASTIC_NET),
    ("RidgeCV", LINEAR),
    ("LogisticRegressionCV", LINEAR),
    ("sgd_classifier", LINEAR),
    ("poisson", COUNTS),
    ("PoissonRegressor", COUNTS),
    ("GammaRegressor", COUNTS),
    ("TweedieRegressor", COUNTS),
    ("glm", COUNTS),
    ("sklearn", COMMAND),
    ("scikit-learn", COMMAND),
    ("knn", NEIGHBORS),
    ("k_nearest_neighbors", NEIGHBORS),
    ("nearest_neighbors", NEIGHBORS),
    ("KNeighborsClassifier", NEIGHBORS),
    ("KNeighborsRegressor", NEIGHBORS),
    ("ebm", ADDITIVE),
    ("explainable_boosting", ADDITIVE),
    ("ExplainableBoostingClassifier", ADDITIVE),
    ("ExplainableBoostingRegressor", ADDITIVE),
    ("gam", ADDITIVE),
    ("MLPClassifier", MLP),
    ("MLPRegressor", MLP),
    ("neural_network", MLP),
    ("nn", MLP),
    ("dnn", MLP),
    ("deep", MLP),
    ("RealMLP", MLP),
    ("TabM", MLP),
    ("wide_deep", "write `wide_and_deep`"),
    ("DNNLinearCombinedClassifier", "write `wide_and_deep`"),
    ("DNNLinearCombinedRegressor", "write `wide_and_deep`"),
    ("DNNClassifier", MLP),
    ("DNNRegressor", MLP),
    ("VotingClassifier", ENSEMBLE),
    ("VotingRegressor", ENSEMBLE),
    ("StackingClassifier", ENSEMBLE),
    ("StackingRegressor", ENSEMBLE),
    ("blend", ENSEMBLE),
    ("pytorch", COMMAND),
    ("torch", COMMAND),
    ("tensorflow", COMMAND),
    ("keras", COMMAND),
    ("python", COMMAND),
    ("script", COMMAND),
];

const LIGHTGBM: &str = "write `lightgbm`: it takes LightGBM's names, defaults and meanings";
const XGBOOST: &str = "write `xgboost`: it takes XGBoost's names, defaults and meanings";
const BOOSTING: &str =
    "write `gradient_boosting`: it fits the same kind of model and accepts LightGBM's names of parameters";
const FOREST: &str = "write `random_forest`: it accepts scikit-learn's names of parameters";
const EXTRA_TREES: &str = "write `random_forest: { extra_trees: true }`";
const NEIGHBORS: &str = "write `neighbors`: the k nearest rows";
const ADDITIVE: &str = "write `additive`: an explainable boosting machine";
const MLP: &str = "write `mlp`: a multi-layer perceptron with the published defaults of RealMLP";
const ENSEMBLE: &str = "write `ensemble: { members: [ { learner: { linear: {} }, weight: 1 } ] }`";
const COMMAND: &str = "write `command: { run: [python, train.py] }`: any program can be the learner";
const LINEAR: &str = "write `linear`: logistic regression for classes, linear regression for numbers";
const LASSO: &str = "write `linear: { penalty: l1 }`, with `alpha: auto` to choose its weight";
const ELASTIC_NET: &str =
    "write `linear: { penalty: elastic_net, l1_ratio: 0.5 }`, with `alpha: auto` to choose its weight";
const COUNTS: &str = "write `linear: { loss: poisson }` for counts, or `loss: gamma` or `loss: tweedie` for amounts";

/// The learner that `choice` names, with its parameters: a name alone, or a mapping of the name to its parameters.
pub(crate) fn configure(choice: &Value) -> Result<(&'static str, Box<dyn Estimator>), Vec<ParamIssue>> {
    let none = Value::Object(serde_json::Map::new());
    let one = || ParamIssue::new(["learner"], format!("a learner is one of {}", known()));
    let (name, params) = match choice {
        Value::String(name) => (name.as_str(), &none),
        Value::Object(entries) => match entries.iter().collect::<Vec<_>>().as_slice() {
            [(name, Value::Null)] => (name.as_str(), &none),
            [(name, params)] => (name.as_str(), *params),
            _ => return Err(vec![one().with_hint("name one: `learner: { gradient_boosting: {} }`")]),
        },
        _ => return Err(vec![one().with_hint("name one: `learner: { gradient_boosting: {} }`")]),
    };
    let Some(learner) = LEARNERS.iter().find(|learner| learner.name() == name) else {
        let issue = ParamIssue::new(["learner", name], format!("`{name}` is no learner; there are {}", known()));
        let near = suggest(name, LEARNERS.iter().map(|learner| learner.name()));
        return Err(vec![match (near, advice_for(name, ELSEWHERE)) {
            (_, Some(ours)) => issue.with_hint(ours),
            (Some(near), None) => issue.with_hint(format!("did you mean `{near}`?")),
            (None, None) => issue,
        }]);
    };
    match learner.configure(params) {
        Ok(estimator) => Ok((learner.name(), estimator)),
        Err(mut issues) => {
            for issue in &mut issues {
                issue.path.splice(0..0, ["learner".to_owned(), name.to_owned()]);
            }
            Err(issues)
        }
    }
}

fn known() -> String {
    let names: Vec<String> = LEARNERS.iter().map(|learner| format!("`{}`", learner.name())).collect();
    names.join(", ")
}

/// Reads and checks the parameters of a learner; every issue names its parameter. `elsewhere`: what other libraries call
/// parameters, and what to write here.
pub(crate) fn parse_learner<T: DeserializeOwned>(
    params: &Value,
    elsewhere: &[(&str, &str)],
    check: impl FnOnce(&T) -> Vec<ParamIssue>,
) -> Result<T, Vec<ParamIssue>> {
    let (parsed, mut issues) = parse_params_partly::<T>(params);
    advise(&mut issues, elsewhere);
    if let Some(parsed) = &parsed {
        add_issues(&mut issues, check(parsed));
    }
    parsed.filter(|_| issues.is_empty()).ok_or(issues)
}

/// The entries of `value`, which is written as an object.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(entries) => entries,
        _ => Map::new(),
    }
}

/// The schema of the parameter `learner`.
pub(crate) fn choice_schema(generator: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = LEARNERS.iter().map(|learner| learner.name()).collect();
    let mut choices = vec![serde_json::json!({ "enum": names })];
    for learner in LEARNERS {
        let mut properties = serde_json::Map::new();
        properties.insert(learner.name().to_owned(), learner.params_schema(generator).to_value());
        choices.push(serde_json::json!({
            "type": "object",
            "properties": properties,
            "required": [learner.name()],
            "additionalProperties": false,
        }));
    }
    schemars::json_schema!({ "description": "What is fitted: one learner by name, with its parameters.", "oneOf": choices })
}
