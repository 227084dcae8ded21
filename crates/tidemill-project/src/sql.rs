//! SQL, where this binary has it: the feature `sql`.

use std::sync::Arc;

use tidemill_data::ConditionLanguage;
use tidemill_validation::RuleEngine;

/// What the conditions of `where` are written in.
#[cfg(feature = "sql")]
pub fn conditions() -> Arc<dyn ConditionLanguage> {
    Arc::new(tidemill_engine::SqlConditions)
}

/// What judges rules. A binary without SQL refuses the first rule, and judges a list of none.
#[cfg(feature = "sql")]
pub fn rules() -> impl RuleEngine + 'static {
    tidemill_engine::SqlRules { threads: crate::settings::cores() }
}

#[cfg(not(feature = "sql"))]
pub use absent::{conditions, rules};

#[cfg(not(feature = "sql"))]
mod absent {
    use arrow::datatypes::Schema;
    use tidemill_core::{Anomaly, DatasetStatistics};
    use tidemill_data::{DataError, RowCondition};
    use tidemill_validation::{RowSource, Rule};

    use super::{Arc, ConditionLanguage, RuleEngine};

    const ADVICE: &str = "needs SQL, and this binary was built without it: build it without `--no-default-features`";

    pub fn conditions() -> Arc<dyn ConditionLanguage> {
        Arc::new(NoSql)
    }

    /// Judges a list of no rules.
    pub fn rules() -> impl RuleEngine + 'static {
        NoSql
    }

    #[derive(Debug)]
    struct NoSql;

    impl ConditionLanguage for NoSql {
        fn check(&self, _: &str) -> Result<(), String> {
            Err(format!("`where` {ADVICE}"))
        }

        fn compile(&self, condition: &str, _: &Schema) -> Result<Box<dyn RowCondition>, DataError> {
            Err(DataError::Params { message: format!("`where: {condition}` {ADVICE}") })
        }
    }

    impl RuleEngine for NoSql {
        fn judge(
            &self,
            rules: &[Rule],
            _: Option<Arc<dyn RowSource>>,
            _: &DatasetStatistics,
        ) -> Result<Vec<Anomaly>, DataError> {
            match rules.first() {
                None => Ok(Vec::new()),
                Some(rule) => Err(DataError::Params { message: format!("rule `{}` {ADVICE}", rule.name) }),
            }
        }
    }
}
