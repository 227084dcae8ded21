//! Parameters of the linear learner.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use tidemill_core::{ParamIssue, Task, TaskKind};

use super::RowLoss;

/// What scikit-learn calls parameters, and what to write here.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("C", "write `alpha`: it is 1 / `C`"),
    ("Cs", "write `alpha: auto`: the values follow from the data"),
    ("alphas", "write `alpha: auto`: the values follow from the data"),
    ("n_alphas", "write `alpha: auto`, and `alpha_count` for how many"),
    ("lambda", "write `alpha`"),
    ("l1", "write `penalty: l1`, and `alpha` for its weight"),
    ("reg_param", "write `alpha`"),
    ("elastic_net_param", "write `l1_ratio`"),
    ("elasticNetParam", "write `l1_ratio`"),
    ("power", "write `tweedie_power`"),
    ("objective", "write `loss`"),
    ("family", "write `loss`"),
    ("max_iter", "write `max_iterations`"),
    ("iterations", "write `max_iterations`"),
    ("tol", "write `tolerance`"),
    ("fit_intercept", "there is always an intercept; leave it out"),
    ("solver", "the solver follows from the penalty; leave it out"),
    ("class_weight", "write `class_weights` next to `learner`"),
    ("random_state", "nothing is random here; leave it out"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
];

/// Linear regression for an amount, logistic regression for two classes, multinomial logistic regression for several.
///
/// Numbers are scaled to mean 0 and standard deviation 1, a missing one counts as the mean, and each category has a weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Linear {
    /// What is minimised for an amount: `squared_error`, `poisson` for counts, `gamma` for positive amounts, or `tweedie` for
    /// amounts that are often 0. The last three learn the logarithm of the mean. Classes have the log-loss.
    pub loss: AmountLoss,
    /// Which penalty keeps the weights of scaled features small. `l1` and `elastic_net` make weights exactly 0. Intercepts
    /// are not penalised.
    pub penalty: Penalty,
    /// How much the penalty counts against the sum of the losses of all rows: 1 / `C` of scikit-learn's `LogisticRegression`,
    /// `alpha` of its `Ridge`, and the number of rows times `alpha` of its `Lasso`, `ElasticNet` and `PoissonRegressor`.
    /// `auto` tries values from large to small, and takes the one with the smallest loss on the validation rows.
    pub alpha: Strength,
    /// The share of L1 in the penalty `elastic_net`, from 0 to 1.
    pub l1_ratio: f64,
    /// How many values `alpha: auto` tries, at most.
    pub alpha_count: u32,
    /// The same as `penalty: l2` with this `alpha`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<f64>,
    /// How the variance of a Tweedie distribution grows with its mean: a power above 1 and below 2.
    pub tweedie_power: f64,
    /// Steps of the optimiser at most, for each value of `alpha`.
    pub max_iterations: u32,
    /// The optimiser ends when no derivative of the mean loss is larger; for `poisson` and `tweedie` in relation to the mean
    /// of the labels.
    pub tolerance: f64,
}

/// What is minimised for an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmountLoss {
    /// The squared error.
    #[default]
    #[serde(alias = "gaussian", alias = "normal", alias = "regression")]
    SquaredError,
    /// The Poisson deviance.
    Poisson,
    /// The gamma deviance.
    Gamma,
    /// The Tweedie deviance.
    Tweedie,
}

/// What keeps weights small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// Half the sum of squares (ridge).
    #[default]
    #[serde(alias = "ridge")]
    L2,
    /// The sum of absolute values (lasso).
    #[serde(alias = "lasso")]
    L1,
    /// Both, mixed by `l1_ratio`.
    #[serde(alias = "elasticnet")]
    ElasticNet,
    /// Nothing.
    None,
}

/// A weight of a penalty: a number, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strength {
    /// This much.
    Given(f64),
    /// What the validation rows say.
    Auto,
}

impl<'de> Deserialize<'de> for Strength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(Self::Given(number.as_f64().unwrap_or(f64::NAN))),
            Value::String(word) if word == "auto" => Ok(Self::Auto),
            other => Err(D::Error::custom(format!("`alpha` is a number from 0 on, or `auto`, and not {other}"))),
        }
    }
}

impl Serialize for Strength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(number) => number.serialize(serializer),
            Self::Auto => "auto".serialize(serializer),
        }
    }
}

impl schemars::JsonSchema for Strength {
    fn schema_name() -> Cow<'static, str> {
        "Strength".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "number", "minimum": 0 }, { "const": "auto" }] })
    }
}

impl Default for Linear {
    fn default() -> Self {
        Self {
            loss: AmountLoss::SquaredError,
            penalty: Penalty::L2,
            alpha: Strength::Given(1.0),
            l1_ratio: 0.5,
            alpha_count: 30,
            l2: None,
            tweedie_power: 1.5,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }
}

impl Linear {
    /// What is wrong with the parameters.
    pub(super) fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        let mut require = |fine: bool, name: &str, rule: &str| {
            if !fine {
                issues.push(ParamIssue::new([name], format!("`{name}` must be {rule}")));
            }
        };
        let is_weight = |weight: f64| weight >= 0.0 && weight.is_finite();
        require(
            matches!(self.alpha, Strength::Auto) || is_weight(self.given_alpha()),
            "alpha",
            "0 or above, or `auto`",
        );
        require(self.l2.is_none_or(is_weight), "l2", "0 or above");
        require((0.0..=1.0).contains(&self.l1_ratio), "l1_ratio", "between 0 and 1");
        require((2..=1000).contains(&self.alpha_count), "alpha_count", "between 2 and 1000");
        require(self.tweedie_power > 1.0 && self.tweedie_power < 2.0, "tweedie_power", "above 1 and below 2");
        require(self.max_iterations > 0, "max_iterations", "1 or above");
        require(self.tolerance > 0.0 && self.tolerance.is_finite(), "tolerance", "above 0");
        let others = self.penalty != Penalty::L2 || self.alpha != Self::default().alpha;
        if self.l2.is_some() && others {
            let issue =
                ParamIssue::new(["l2"], "`l2` stands for `penalty: l2` with an `alpha`, and is not mixed with them");
            issues.push(issue.with_hint("write `penalty: elastic_net`, `alpha` and `l1_ratio` for both penalties"));
        }
        if self.penalty == Penalty::None && self.alpha == Strength::Auto {
            issues.push(ParamIssue::new(["alpha"], "`penalty: none` has no weight to choose"));
        }
        issues
    }

    fn given_alpha(&self) -> f64 {
        match self.alpha {
            Strength::Given(alpha) => alpha,
            Strength::Auto => f64::NAN,
        }
    }

    /// The weight of the penalty; `None` where the validation rows decide.
    pub(super) fn strength(&self) -> Option<f64> {
        match (self.penalty, self.l2, self.alpha) {
            (Penalty::None, ..) => Some(0.0),
            (_, Some(l2), _) => Some(l2),
            (_, None, Strength::Given(alpha)) => Some(alpha),
            (_, None, Strength::Auto) => None,
        }
    }

    /// The share of L1 in the penalty.
    pub(super) fn share_of_l1(&self) -> f64 {
        match self.penalty {
            Penalty::L1 => 1.0,
            Penalty::ElasticNet => self.l1_ratio,
            Penalty::L2 | Penalty::None => 0.0,
        }
    }

    /// What a row loses for `task`. An amount's loss for classes is an error.
    pub(super) fn row_loss(&self, task: &Task) -> Result<RowLoss, String> {
        if task.kind() != TaskKind::Regression && self.loss != AmountLoss::SquaredError {
            return Err(format!("`loss` says what is minimised for an amount, and the task is `{}`", task.kind()));
        }
        Ok(match (task, self.loss) {
            (Task::Binary, _) => RowLoss::Logistic,
            (Task::MultiClass { classes }, _) => RowLoss::Softmax(classes.len()),
            (_, AmountLoss::SquaredError) => RowLoss::Squared,
            (_, AmountLoss::Poisson) => RowLoss::Poisson,
            (_, AmountLoss::Gamma) => RowLoss::Gamma,
            (_, AmountLoss::Tweedie) => RowLoss::Tweedie(self.tweedie_power),
        })
    }
}
