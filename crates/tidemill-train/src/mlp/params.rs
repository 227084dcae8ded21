//! The parameters of networks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::Activation;

use crate::learner::parse_learner;

/// What scikit-learn, Keras and `PyTorch` call parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("hidden_layer_sizes", "write `hidden`"),
    ("hidden_units", "write `hidden`"),
    ("dnn_hidden_units", "write `hidden`"),
    ("layers", "write `hidden`: the width of each layer, such as `[256, 256]`"),
    ("units", "write `hidden`: the width of each layer, such as `[256, 256]`"),
    ("act", "write `activation`"),
    ("learning_rate_init", "write `learning_rate`"),
    ("lr", "write `learning_rate`"),
    ("lr_sched", "write `schedule`"),
    ("max_iter", "write `epochs`"),
    ("n_epochs", "write `epochs`"),
    ("iterations", "write `epochs`"),
    ("batch", "write `batch_size`"),
    ("p_drop", "write `dropout`"),
    ("dropout_rate", "write `dropout`"),
    ("alpha", "write `weight_decay`"),
    ("wd", "write `weight_decay`"),
    ("l2", "write `weight_decay`"),
    ("ls_eps", "write `label_smoothing`"),
    ("beta_2", "write `beta2`"),
    ("mom", "the first moment of Adam decays by 0.9; `beta2` is the other one"),
    ("beta_1", "the first moment of Adam decays by 0.9; `beta2` is the other one"),
    ("embedding_size", "write `embedding`"),
    ("embedding_dim", "write `embedding`"),
    ("num_emb_type", "write `number_embedding: 4` for learned waves of numbers"),
    ("plr_hidden_2", "write `number_embedding`"),
    ("max_one_hot_cat_size", "write `one_hot_max`"),
    ("n_iter_no_change", "write `early_stopping`"),
    ("patience", "write `early_stopping`"),
    ("early_stopping_rounds", "write `early_stopping`"),
    ("validation_fraction", "write `validation` next to `learner`"),
    ("solver", "the optimiser is Adam"),
    ("optimizer", "the optimiser is Adam"),
    ("random_state", "write `seed` next to `learner`"),
    ("seed", "write `seed` next to `learner`"),
    ("class_weight", "write `class_weights` next to `learner`"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
    ("device", "training is on the CPU"),
    ("crosses", "write `wide_and_deep`: it is `mlp` with a wide part of `crosses`"),
    ("hash_bucket_size", "write `cross_buckets`"),
    ("hash_buckets", "write `cross_buckets`"),
];

/// Layers at most, and the width of each.
const LAYERS_MAX: usize = 32;
const WIDTH_MAX: u32 = 1 << 14;
/// Numbers of a category's vector at most.
const EMBEDDING_MAX: u32 = 256;
/// Categories with an input of their own at most.
const ONE_HOT_MAX: u32 = 4096;
/// Places of a combination of categories at most.
const BUCKETS_MAX: u32 = 1 << 24;

/// How the learning rate changes over the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It rises and falls four times, each time more slowly: ½ − ½ cos(2π log₂(1 + 15 t)), t from 0 to 1.
    Coslog4,
    /// It falls from the first step on: ½ + ½ cos(π t).
    Cosine,
    /// It stays.
    Constant,
}

impl Schedule {
    /// The share of the learning rate at `t`, from 0 at the start to 1 at the end.
    pub(super) fn share(self, t: f64) -> f64 {
        match self {
            Self::Coslog4 => 0.5 - 0.5 * (std::f64::consts::TAU * (1.0 + 15.0 * t).log2()).cos(),
            Self::Cosine => 0.5 + 0.5 * (std::f64::consts::PI * t).cos(),
            Self::Constant => 1.0,
        }
    }
}

/// A type of parameters: those of every network, and some of its own.
macro_rules! network_params {
    ($(#[$about:meta])* $name:ident { $($(#[$own_about:meta])* $own:ident: $own_type:ty = $own_default:expr,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$own_about])* pub $own: $own_type,)*
            /// The width of each hidden layer.
            pub hidden: Vec<u32>,
            /// The function between layers; by default `selu` for classes and `mish` for amounts.
            pub activation: Option<Activation>,
            /// How often every row is learned from. By default 256, and fewer the more rows there are beyond 20,000, down to 16.
            pub epochs: Option<u32>,
            /// Rows of a step of the optimiser.
            pub batch_size: u32,
            /// The largest learning rate; by default 0.04 for classes and 0.07 for amounts.
            pub learning_rate: Option<f64>,
            /// How the learning rate changes over the training.
            pub schedule: Schedule,
            /// By what Adam's second moment decays in a step.
            pub beta2: f64,
            /// By what part of itself, times the learning rate, each weight shrinks in a step; biases do not.
            pub weight_decay: f64,
            /// Share of the outputs of hidden layers that a step leaves out.
            pub dropout: f64,
            /// How much of the label of classes is spread evenly over all classes. Some lowers the share of wrong classes, but
            /// makes probabilities less certain than they should be.
            pub label_smoothing: f64,
            /// Up to so many categories, each is an input of its own; features of more get vectors.
            pub one_hot_max: u32,
            /// Length of the vector of each category of a feature with more categories than `one_hot_max`.
            pub embedding: u32,
            /// Inputs of each number: 1 is the standardised number alone, more are learned waves of it beside it ("PBLD" of
            /// `RealMLP`, which has 4). They help where the label jumps or swings with a number, and take time.
            pub number_embedding: u32,
            /// Stop after so many epochs in a row without a better loss on the validation rows. 0, the default, never stops early:
            /// the loss of the best epoch often comes when the learning rate falls for the last time. The weights of the best
            /// epoch are kept in any case.
            pub early_stopping: u32,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($own: $own_default,)*
                    hidden: vec![256, 256, 256],
                    activation: None,
                    epochs: None,
                    batch_size: 256,
                    learning_rate: None,
                    schedule: Schedule::Coslog4,
                    beta2: 0.95,
                    weight_decay: 0.0,
                    dropout: 0.0,
                    label_smoothing: 0.0,
                    one_hot_max: 9,
                    embedding: 8,
                    number_embedding: 1,
                    early_stopping: 0,
                }
            }
        }
    };
}

network_params! {
    /// A multi-layer perceptron: layers of weighted sums with a nonlinear function between them, trained by Adam.
    ///
    /// Defaults are those of `RealMLP` ("TD-S"), but for `label_smoothing`, which is 0.1 there. Numbers are centred at the median,
    /// scaled by the distance of the quartiles and smoothly clipped at 3; a missing number counts as the median, and an input of
    /// its own says that it is missing. The optimiser is Adam.
    Mlp {}
}

network_params! {
    /// A multi-layer perceptron beside a linear model of categories and their combinations; the scores of both are added.
    ///
    /// The deep part generalises, the wide part remembers which combinations matter.
    WideAndDeep {
        /// Combinations of categorical features that get a weight each: `[[company, payment]]`. Every categorical feature alone
        /// has weights anyway.
        crosses: Vec<Vec<String>> = Vec::new(),
        /// Weights of a combination at most. Each pair (or more) of categories has a weight of its own up to so many; beyond,
        /// they share weights by a hash.
        cross_buckets: u32 = 1 << 16,
        /// The largest learning rate of the wide part.
        wide_learning_rate: f64 = 0.01,
    }
}

impl From<&WideAndDeep> for Mlp {
    fn from(params: &WideAndDeep) -> Self {
        let params = params.clone();
        Self {
            hidden: params.hidden,
            activation: params.activation,
            epochs: params.epochs,
            batch_size: params.batch_size,
            learning_rate: params.learning_rate,
            schedule: params.schedule,
            beta2: params.beta2,
            weight_decay: params.weight_decay,
            dropout: params.dropout,
            label_smoothing: params.label_smoothing,
            one_hot_max: params.one_hot_max,
            embedding: params.embedding,
            number_embedding: params.number_embedding,
            early_stopping: params.early_stopping,
        }
    }
}

impl Mlp {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        parse_learner(params, ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let share = |value: f64| (0.0..1.0).contains(&value);
        let ranges = [
            (
                "hidden",
                self.hidden.len() <= LAYERS_MAX && self.hidden.iter().all(|width| (1..=WIDTH_MAX).contains(width)),
                format!("at most {LAYERS_MAX} widths from 1 to {WIDTH_MAX}, such as `[256, 256]`"),
            ),
            ("epochs", self.epochs != Some(0), "1 or above".to_owned()),
            ("batch_size", self.batch_size > 0, "1 or above".to_owned()),
            ("learning_rate", self.learning_rate.is_none_or(positive), "above 0".to_owned()),
            ("beta2", self.beta2 > 0.0 && self.beta2 < 1.0, "above 0 and below 1".to_owned()),
            ("weight_decay", self.weight_decay >= 0.0 && self.weight_decay.is_finite(), "0 or above".to_owned()),
            ("dropout", share(self.dropout), "from 0 up to, not including, 1".to_owned()),
            ("label_smoothing", share(self.label_smoothing), "from 0 up to, not including, 1".to_owned()),
            ("one_hot_max", self.one_hot_max <= ONE_HOT_MAX, format!("from 0 to {ONE_HOT_MAX}")),
            ("embedding", (1..=EMBEDDING_MAX).contains(&self.embedding), format!("from 1 to {EMBEDDING_MAX}")),
            (
                "number_embedding",
                (1..=EMBEDDING_MAX).contains(&self.number_embedding),
                format!("from 1 to {EMBEDDING_MAX}"),
            ),
        ];
        issues_of(ranges)
    }
}

impl WideAndDeep {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        parse_learner(params, ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Mlp::from(self).check();
        let twice = |cross: &Vec<String>| (1..cross.len()).any(|at| cross[..at].contains(&cross[at]));
        issues.extend(issues_of([
            (
                "crosses",
                self.crosses.iter().all(|cross| (2..=4).contains(&cross.len()) && !twice(cross)),
                "lists of 2 to 4 different features, such as `[[company, payment]]`".to_owned(),
            ),
            ("cross_buckets", (2..=BUCKETS_MAX).contains(&self.cross_buckets), format!("from 2 to {BUCKETS_MAX}")),
            (
                "wide_learning_rate",
                self.wide_learning_rate > 0.0 && self.wide_learning_rate.is_finite(),
                "above 0".to_owned(),
            ),
        ]));
        issues
    }
}

/// An issue for each parameter that is not fine.
fn issues_of<const N: usize>(ranges: [(&str, bool, String); N]) -> Vec<ParamIssue> {
    let issue = |(name, _, range): (&str, bool, String)| ParamIssue::new([name], format!("`{name}` must be {range}"));
    ranges.into_iter().filter(|(_, fine, _)| !fine).map(issue).collect()
}
