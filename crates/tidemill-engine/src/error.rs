//! What can go wrong with a query.

use datafusion::error::DataFusionError;
use tidemill_core::{Code, Coded};
use tidemill_data::DataError;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The query is not valid, or its values cannot be worked with.
    #[error("{message}")]
    Query {
        /// What is wrong, in the words of the engine.
        message: String,
    },
    /// More rows must be held at once than there is room for.
    #[error("the query needs more memory than the {limit_mib} MiB it may have")]
    Memory {
        /// The room there is.
        limit_mib: usize,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The surroundings failed.
    #[error("the query engine cannot work")]
    Environment(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Coded for EngineError {
    fn code(&self) -> Code {
        match self {
            Self::Query { .. } => Code::Query,
            Self::Memory { .. } | Self::Environment(_) => Code::Io,
            Self::Data(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Memory { .. } => Some("ask for fewer groups or columns, or sort fewer rows".to_owned()),
            Self::Data(error) => error.hint(),
            Self::Query { .. } | Self::Environment(_) => None,
        }
    }
}

impl EngineError {
    /// What the engine said, with an error of a table given back as it was.
    pub(crate) fn of(error: DataFusionError, limit_mib: usize) -> Self {
        match taken_apart(error) {
            Ok(error) => Self::Data(error),
            Err(error) => match error.find_root() {
                DataFusionError::ResourcesExhausted(_) => Self::Memory { limit_mib },
                DataFusionError::IoError(_) => Self::Environment(Box::new(error)),
                root => Self::Query { message: words(&root.strip_backtrace()) },
            },
        }
    }
}

/// The error of a table, if one lies beneath.
fn taken_apart(error: DataFusionError) -> Result<DataError, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<DataError>() {
            Ok(error) => Ok(*error),
            Err(inner) => Err(DataFusionError::External(inner)),
        },
        DataFusionError::Context(_, inner) => taken_apart(*inner),
        error => Err(error),
    }
}

/// The message on one line, without the name of the phase in front.
fn words(said: &str) -> String {
    let phases = [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
    ];
    let mut said = said;
    while let Some(rest) = phases.iter().find_map(|phase| said.strip_prefix(phase)) {
        said = rest;
    }
    let said = said.strip_prefix("ParserError(\"").and_then(|rest| rest.strip_suffix("\")")).unwrap_or(said);
    let said = said.trim_end_matches('.').replace('\n', " ").replace("\\\"", "\"");
    match said.strip_prefix("Expected: ") {
        Some(rest) => {
            let rest = rest.replace(", found: EOF", ", found its end").replace(", found: ", ", found ");
            format!("cannot read the SQL: expected {rest}")
        }
        None => said,
    }
}
