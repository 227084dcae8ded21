//! The catalogue of errors.
//!
//! A code is stable: scripts may depend on it. It decides the exit code, the HTTP status, the gRPC status and
//! whether trying again can help. `tidemill explain CODE` prints its page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidFile;

/// The kind of an error. It decides the exit code, and everything else that its [`Code`] does not state itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The work was done and the answer is no. Exit code 1; HTTP 422.
    Verdict,
    /// A file, a parameter or a request is wrong. Exit code 2; HTTP 400.
    Usage,
    /// Something named does not exist. Exit code 2; HTTP 404.
    NotFound,
    /// The surroundings failed: disk, network, a port, capacity. Exit code 3; HTTP 503; worth a retry.
    Environment,
    /// A bug in Tidemill. Exit code 4; HTTP 500.
    Bug,
    /// Interrupted by the user. Exit code 130; HTTP 503.
    Interrupted,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Verdict, Self::Usage, Self::NotFound, Self::Environment, Self::Bug, Self::Interrupted];

    /// Exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verdict => 1,
            Self::Usage | Self::NotFound => 2,
            Self::Environment => 3,
            Self::Bug => 4,
            Self::Interrupted => 130,
        }
    }

    const fn http_status(self) -> u16 {
        match self {
            Self::Verdict => 422,
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Environment | Self::Interrupted => 503,
            Self::Bug => 500,
        }
    }
}

/// An error that knows its place in the catalogue.
pub trait Coded: std::error::Error {
    /// Which error of the catalogue this is.
    fn code(&self) -> Code;
    /// What to do about it.
    fn hint(&self) -> Option<String> {
        None
    }
    /// Which parameter of a step it is about: keys and indexes from the step down, as in a
    /// [`ParamIssue`](crate::ParamIssue). Empty where none is.
    fn place(&self) -> Vec<String> {
        Vec::new()
    }
    /// The user's file that is wrong, with all places, if the error is about one.
    fn invalid_file(&self) -> Option<&InvalidFile> {
        None
    }
}

macro_rules! own {
    () => {
        None
    };
    ($http:literal) => {
        Some($http)
    };
}

macro_rules! catalogue {
    ($($variant:ident = $id:literal, $kind:ident $([$http:literal])?, $title:literal, $help:literal;)+) => {
        /// One error of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable identifier: `TM2003`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// What kind of error it is.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The HTTP status that the catalogue states, if it is not that of the kind.
            const fn own_http_status(self) -> Option<u16> {
                match self { $(Self::$variant => own!($($http)?),)+ }
            }

            /// The error in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// Why it happens and what to do, a paragraph or two.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
}

// One block an area: 1 pipeline and project, 2 data, 3 schema and validation, 4 transform and model package,
// 5 training and evaluation, 6 store and registry, 7 serving, 8 monitoring, 9 everything else. A code is never used twice.
catalogue! {
    PipelineFile = "TM1001", Usage, "the pipeline file is not valid",
        "The pipeline file has an unknown key, a value of the wrong type or a reference that leads nowhere. Each place is shown with line and column; all of them are listed at once, so fix them in one go. `tidemill schema pipeline` prints the JSON Schema for your editor, and `tidemill check` tries the file without running anything.";
    PipelineNotFound = "TM1002", NotFound, "no pipeline file",
        "No `pipeline.yaml` was found where you pointed. Give the folder that holds it, as in `tidemill run examples/taxi`, or create a project with `tidemill init taxi`.";
    Settings = "TM1003", Usage, "the settings are not valid",
        "`tidemill.toml` or a TIDEMILL_ environment variable has an unknown key or a value of the wrong type. Settings come from defaults, your user file, the project's `tidemill.toml`, the profile, the environment and flags, later ones winning.";
    MissingInput = "TM1004", Usage, "a step lacks an input",
        "A step needs an artifact that no step above it writes. Add the step that writes it, or wire it with `inputs:`.";
    Canceled = "TM1005", Interrupted, "the run was cancelled",
        "You interrupted the run, or it was told to stop. Nothing half-written is visible; `tidemill run` goes on where it stopped.";
    Params = "TM1006", Usage, "a parameter is not valid",
        "A parameter of a step has a value that cannot work with this data. The message names the parameter and the reason.";
    ProjectExists = "TM1007", Usage, "the folder is not empty",
        "`tidemill init` does not write over what is there. Name another folder, or empty this one.";
    Abandoned = "TM1008", Environment, "the process ended before its run did",
        "The process that worked on the run was killed or the machine stopped. Nothing half-written is visible; `tidemill run` goes on where it stopped.";

    StepProcess = "TM1009", Environment, "the process of a step ended without a result",
        "With `--launcher process` each step runs in a process of its own. This one could not be started, was killed, or ran out of memory. `retries:` of a step tries it again.";

    Waiting = "TM1011", Verdict, "the run waits for an approval",
        "A step asks a person. The run is parked: no process waits, and finished steps are kept. `tidemill approvals list` shows what is to be decided. After the decision `tidemill retry` continues the run; a running `tidemill up` does so by itself.";
    Schedule = "TM1012", Usage, "the schedule cannot be used",
        "The schedule named does not exist in the pipeline file, or is used in a way that its trigger does not allow.";

    Rejected = "TM1010", Verdict, "a step rejected what it judged",
        "The step did its work, and its verdict is no. The reasons are in the message; what depends on the step did not run.";

    SqlAbsent = "TM1013", Usage, "this binary has no SQL",
        "The binary was built with `--no-default-features`, which leaves the query engine out: `tidemill sql`, `where` of an ExampleGen and rules of an ExampleValidator need it. `cargo build --release` builds it in; every binary that is shipped has it.";

    SourceNotFound = "TM2001", NotFound, "a source file was not found",
        "The path of a source leads to no file. Relative paths start at the folder of the pipeline file.";
    SourceUnreadable = "TM2002", Environment, "a source file could not be read",
        "The file is there but reading it failed: permissions, a failing disk, a lost mount.";
    SourceEmpty = "TM2003", Usage, "a source has no rows",
        "The file is empty or holds only a header. A pipeline cannot go on from nothing; check the export that wrote it.";
    SourceMalformed = "TM2004", Usage, "a source file is malformed",
        "The file breaks the rules of its format at the place named. Nothing of it was kept.";
    RaggedRow = "TM2005", Usage, "a row has another number of cells than the header",
        "Usually an unquoted delimiter or newline inside a cell, or a file cut short. The message gives file and line.";
    DuplicateColumn = "TM2006", Usage, "two columns have the same name",
        "Every column needs a name of its own. Rename one in the header.";
    NotUtf8 = "TM2007", Usage, "text is not UTF-8",
        "Tidemill reads text as UTF-8. Convert the file first, for example with `iconv -f LATIN1 -t UTF-8`.";
    EmptySplit = "TM2008", Usage, "a split has no rows",
        "The split's share is too small for this many rows, or the split key has too few values.";
    ColumnNotFound = "TM2009", Usage, "a column does not exist",
        "A step names a column that the data does not have. The message lists the nearest names.";
    ColumnType = "TM2010", Usage, "a column has an unsuitable type",
        "The operation named does not apply to a column of this type.";
    UnknownFormat = "TM2011", Usage, "the format of a file is not known",
        "The format is taken from the file's extension. Use one of the formats listed, or name it.";
    SchemasDiffer = "TM2012", Usage, "files of one source have different columns",
        "All files of one source must have the same columns. The message names the file and the column.";
    SourceDenied = "TM2020", Environment, "access to a store or database is denied",
        "No credentials were found, or they may not do what was asked. Credentials come from the environment variables that the makers' own tools read: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`; those of a database stand in its connection.";
    SourceUnreachable = "TM2021", Environment, "a store or database does not answer",
        "The network, the endpoint or the service itself. The message names it and what was said; trying again may help.";
    Query = "TM2022", Usage, "a query is not valid",
        "The database refused the query, or it gives columns that cannot be read. The message has the database's own words.";

    SchemaFile = "TM3001", Usage, "the schema file is not valid",
        "The schema (`schema.yaml`, or the `.pbtxt` of TensorFlow Metadata) has an unknown key, a value that cannot be, or parts that contradict each other: a domain that does not fit the type, a comparator that could never fire. Each place is shown with line and column, all of them at once. `tidemill schema schema` prints the JSON Schema for your editor.";
    Anomalous = "TM3002", Verdict, "the data has anomalies",
        "Validation found that the data breaks the schema. Each anomaly names the feature and the rule. Either the data is wrong (repair it), or the world has changed (edit `schema.yaml`, or let `tidemill schema update FILE --accept ANOMALY:FEATURE` do it), or it does not matter (set `on_anomaly: warn`).";
    StatisticsFile = "TM3003", Usage, "the statistics file is not valid",
        "The file does not hold statistics as `tidemill stats -o json` writes them.";

    Expression = "TM4001", Usage, "an expression is not valid",
        "The expression cannot be parsed or its types do not fit. The message shows the place.";
    LabelMissing = "TM4002", Usage, "the label is missing",
        "Some rows have no label. Drop them before ingestion, or make the label expression total.";
    LabelLeak = "TM4003", Usage, "a feature would leak the label",
        "A feature uses the label, or a column the label is about: its `target`, or else the first column of its expression (`tips` in `tips > fare * 0.2`). Or it uses another column of the expression that alone decides the label on the train split (AUC of 0.999 or more), which is how `fare * 0.2 < tips` with the feature `tips` is noticed. The model would look perfect and fail in production, where that column is not known yet. Remove the feature and name the column as the label's `target`; if the column is known when serving, name the one that is not.";
    TransformGraph = "TM4004", Usage, "the transform cannot be fitted",
        "A feature's transformation does not apply to its column. The message names both.";
    PackageInvalid = "TM4005", Usage, "the model package is not valid",
        "A file of the package is missing, altered or of a format this version does not read. The message names the file.";
    InputMissing = "TM4006", Usage, "a request lacks a feature",
        "The model needs the feature named. `tidemill model show` and the metadata endpoints list what it needs.";
    InputUnknown = "TM4007", Usage, "a request has a feature the model does not know",
        "Usually a misspelt name: it would be ignored and another feature would be missing.";
    InputType = "TM4008", Usage, "a feature of a request has the wrong type",
        "The message names the feature, the type it needs and what was sent.";
    SampleMismatch = "TM4009", Verdict, "the model does not reproduce its recorded predictions",
        "The package carries rows with the predictions made at training time. Replaying them gave other numbers: the package was altered or this version computes differently.";
    OnnxRuntime = "TM4010", Usage, "ONNX Runtime cannot be used",
        "ONNX Runtime was asked for, with `--onnx-engine onnxruntime` or by the name of its library, and it is not there: the binary was built without the feature `onnxruntime`, or no shared library of version 1.17 or newer was found where the message says. Name the file with `--onnxruntime PATH` or TIDEMILL_ONNXRUNTIME, or leave the model to the engines that every build has.";
    FeatureSet = "TM4011", Usage, "the feature set is not valid",
        "A file of features has an unknown key or a step that cannot be, or a version was altered after it was kept. Each place is shown with line and column. A version never changes: `tidemill features add FILE` keeps a change as the next one.";
    FeatureSetNotFound = "TM4012", NotFound, "no such feature set",
        "No feature set of that name and version is kept in the project's `features` folder. `tidemill features list` shows those that are; `tidemill features add FILE` keeps another.";

    LabelConstant = "TM5001", Usage, "the label never varies",
        "All rows of a split have the same label, so nothing can be learned or judged. Check the label expression and the split.";
    LabelValues = "TM5002", Usage, "the label has unsuitable values",
        "A binary label must be 0 or 1 (or true and false); a regression label must be a finite number.";
    NotBlessed = "TM5003", Verdict, "the model is not blessed",
        "The model misses a threshold, absolute or against the last blessed model. The message names metric, slice, value and bound. Nothing was pushed; the model that serves now keeps serving.";
    ThresholdInvalid = "TM5004", Usage, "a threshold is not valid",
        "The threshold names a metric or slice that this evaluation does not have, or its bounds exclude each other.";
    PredictionValues = "TM5005", Usage, "a prediction is not a usable value",
        "Every row needs a prediction: a finite number, and for a binary model one between 0 and 1. The message names the column and the first row that lacks one. Scores that are no probabilities can still be compared as values with `tidemill evaluate --task regression`.";
    JobFailed = "TM5006", Usage, "a training command failed",
        "The program that `learner: { command: … }` names could not be started, or ended with an error. The last lines of its output are shown. Run it by hand with the variables that the docs list, or mend the script.";
    JobResult = "TM5007", Usage, "a training command gave no usable model",
        "A training command must write `result.json` into the folder TIDEMILL_OUT, with a model in a format that is executed here and with its own predictions of some rows. The message says what is missing or wrong. `tidemill.job().save(model)` in Python writes all of it.";
    JobLimit = "TM5008", Usage, "a training command went beyond a limit",
        "The program ran longer, took more memory or wrote more than the step allows, and was stopped with everything it had started. Raise `timeout_secs` or `memory_mib`, or give it less to do.";

    StoreUnavailable = "TM6001", Environment, "the store cannot be opened",
        "The folder or database that holds runs and artifacts cannot be read or written. The message names it.";
    StoreVersion = "TM6002", Usage, "the store was written by another version",
        "The store's layout is newer than this binary knows. Use the newer binary.";
    NotInStore = "TM6003", NotFound, "not in the store",
        "Nothing of that name or id is recorded. `tidemill runs`, `artifacts` and `models` list what is.";
    ArtifactDamaged = "TM6004", Environment, "an artifact is damaged",
        "The bytes of an artifact do not match its digest: a disk failed, or somebody edited a file of the store. The message names the artifact, the file and both digests. `tidemill run` runs the step that wrote it again; `tidemill store check` looks at all artifacts, and `tidemill store check --repair` moves the damaged ones aside.";
    StoreBusy = "TM6005", Environment, "the store is busy",
        "Another run of the same pipeline holds the store. Wait for it or stop it.";
    StoreLost = "TM6006", Environment, "the store is gone",
        "The project has had a store, and its folder or its database is not there any more: a mount that is missing, a folder that was renamed or removed. Nothing was started in its place. Put it back, restore a backup with `tidemill store restore DIR`, or start an empty store with `tidemill store new`.";
    BackupInvalid = "TM6007", Usage, "not a backup that can be restored",
        "`tidemill store backup DIR` writes to a folder that is new or empty, and `tidemill store restore DIR` reads such a folder. The message says what is wrong with it. Nothing was restored.";

    ApprovalDenied = "TM6008", Usage [403], "the approval cannot be decided like this",
        "The approval was decided before, or this person may not decide it: the step names its `approvers`, and with `not_author: true` whoever started the run cannot approve it. `tidemill approvals show ID` prints both.";
    NotApproved = "TM6009", Verdict, "an approval is missing",
        "The change needs the approval of a person. `tidemill approvals list` shows what waits, `tidemill approvals approve ID` decides, and the change can then be made again.";

    PortInUse = "TM7001", Environment, "the port is in use",
        "Another process listens there. Stop it, or choose another port with `--rest-api-port`.";
    ModelNotFound = "TM7002", NotFound, "no such model",
        "The server has no model, version or alias of that name. `tidemill models` lists what is registered.";
    InfraNotBlessed = "TM7003", Verdict, "the model does not work in the serving runtime",
        "The model server could not load the package, or answered differently from training, or too slowly. Nothing was pushed.";
    RequestMalformed = "TM7004", Usage, "the request is malformed",
        "The body is not what the protocol asks for. The message says what is missing.";
    ServerFailed = "TM7005", Environment, "the server failed",
        "The server could not go on. The message says why.";
    RequestTooLarge = "TM7020", Usage [413], "the request is too large",
        "The body is larger than the server accepts. Send fewer rows at a time, or raise the server's limit.";
    Unauthenticated = "TM7021", Usage [401], "the API key is missing or unknown",
        "The server was started with API keys. Send one as `Authorization: Bearer KEY`.";
    NotAllowed = "TM7022", Usage [403], "the request is not allowed",
        "The server does not allow this operation, or not with this API key or from this origin. The message says what would allow it.";
    NotReady = "TM7023", Environment, "the server cannot take the request now",
        "A model is still loading, a queue is full, or the server is shutting down. Try again after a while.";
    DeadlineExceeded = "TM7024", Environment [504], "there was no answer within the deadline",
        "The request took longer than its deadline or than the server allows. The server may be overloaded.";
    NotSupported = "TM7025", Usage [501], "the server does not support the operation",
        "The protocol defines the operation, and this server or this model does not have it.";
    BodyTooSlow = "TM7026", Environment [408], "the body of the request did not arrive in time",
        "The client stopped sending, or the network is slow.";
    StateConflict = "TM7027", Usage [409], "the operation conflicts with the state of the server",
        "Another operation on the same model came first. Ask for the state of the model, then decide again.";
    EndpointFile = "TM7030", Usage, "the endpoint file is not valid",
        "The endpoint file has an unknown key, a value of the wrong type, a name that leads nowhere, or models whose inputs and outputs do not fit together. Each place is shown with line and column; all of them are listed at once. `tidemill schema endpoint` prints the JSON Schema for your editor, and `tidemill endpoint check FILE` tries the file without serving anything.";
    EndpointNotFound = "TM7031", NotFound, "no such endpoint",
        "The project has no applied endpoint of that name, or not that revision of it. `tidemill endpoint status` lists the endpoints, `tidemill endpoint history NAME` the revisions.";
    LoadTarget = "TM7010", Environment, "the server under load does not answer",
        "No connection to the address can be opened, or the server closes it. Is it running, and is this its port?";
    LoadRequest = "TM7011", Usage, "the load test has no request the server takes",
        "The server answered the first request with an error, or no request can be made of the rows. The message holds its answer. `--package` asks about rows recorded in training, `--rows` about those of a file.";
    LoadTooSlow = "TM7012", Verdict, "the server does not hold the bound under load",
        "Latency or failures were above what `--p99` and `--failures` allow.";

    MonitorFile = "TM8001", Usage, "the monitor file is not valid",
        "The monitor file has an unknown key, a value of the wrong type or a combination that cannot work. Each place is shown with line and column; all of them are listed at once. `tidemill monitor check` tries the file without running anything.";
    InferenceLog = "TM8002", Usage, "the inference log cannot be used",
        "The folder is no inference log, a file in it is damaged, or its columns are not those of a log. `tidemill serve --log DIR` writes a log; each model has its own folder in it.";
    MonitorState = "TM8003", Environment, "the state of a monitor is damaged",
        "A file of the monitor's state does not have the content that was written. `tidemill monitor run --fresh` computes the state again from the inference log.";
    Feedback = "TM8004", Usage, "feedback cannot be used",
        "A record of feedback needs the request that it is about (`request_id`, or the join keys of the monitor file) and a `label`, a `rating` or an `event`. The message names the line and the field.";
    MonitorReference = "TM8005", Usage, "the monitor has no reference to compare with",
        "A monitor compares with the data that the model was trained on, with a file, or with a period of the log. The message says what is missing. `reference: learn` takes the first windows of the log.";

    Io = "TM9001", Environment, "a file operation failed",
        "The operating system refused. The message names the path.";
    Internal = "TM9002", Bug, "a bug in Tidemill",
        "This should not happen. Please report it with the message and, if you can, the input.";
    CommandLine = "TM9003", Usage, "the command line is not valid",
        "`tidemill help COMMAND` shows what the command takes.";
}

impl Code {
    /// Exit code of a process that ends with this error.
    pub const fn exit_code(self) -> u8 {
        self.kind().exit_code()
    }

    /// HTTP status of an answer with this error.
    pub const fn http_status(self) -> u16 {
        match self.own_http_status() {
            Some(status) => status,
            None => self.kind().http_status(),
        }
    }

    /// gRPC status of an answer with this error.
    pub const fn grpc_status(self) -> GrpcStatus {
        match self.http_status() {
            401 => GrpcStatus::Unauthenticated,
            403 => GrpcStatus::PermissionDenied,
            404 => GrpcStatus::NotFound,
            409 => GrpcStatus::Aborted,
            408 | 504 => GrpcStatus::DeadlineExceeded,
            413 => GrpcStatus::ResourceExhausted,
            422 => GrpcStatus::FailedPrecondition,
            501 => GrpcStatus::Unimplemented,
            503 => GrpcStatus::Unavailable,
            500 => GrpcStatus::Internal,
            _ => GrpcStatus::InvalidArgument,
        }
    }

    /// Whether the same work may succeed later although the caller changes nothing.
    pub const fn retryable(self) -> bool {
        // What is denied or damaged stays so, and a run whose process died has to be started again.
        let stays = matches!(self, Self::SourceDenied | Self::ArtifactDamaged | Self::Abandoned);
        matches!(self.kind(), Kind::Environment) && !stays
    }

    /// The code of a request that was refused with an HTTP status, for refusals that have no code of their own.
    pub const fn of_http_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::NotAllowed,
            404 => Self::ModelNotFound,
            408 => Self::BodyTooSlow,
            409 => Self::StateConflict,
            413 => Self::RequestTooLarge,
            429 | 503 => Self::NotReady,
            501 => Self::NotSupported,
            504 => Self::DeadlineExceeded,
            400..=499 => Self::RequestMalformed,
            _ => Self::Internal,
        }
    }
}

/// The gRPC statuses that errors of the catalogue have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GrpcStatus {
    /// The request is wrong.
    InvalidArgument = 3,
    /// No answer in time.
    DeadlineExceeded = 4,
    /// Something named does not exist.
    NotFound = 5,
    /// Not with this key.
    PermissionDenied = 7,
    /// Too large.
    ResourceExhausted = 8,
    /// The answer is no.
    FailedPrecondition = 9,
    /// Another operation came first.
    Aborted = 10,
    /// No such operation here.
    Unimplemented = 12,
    /// A bug.
    Internal = 13,
    /// Not now.
    Unavailable = 14,
    /// No valid key.
    Unauthenticated = 16,
}

impl GrpcStatus {
    /// The name in gRPC's specification: `INVALID_ARGUMENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The number in gRPC's specification.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// The text is not a code of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an error code")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.id().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl TryFrom<String> for Code {
    type Error = UnknownCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.id().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_parse_back() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.id()), "{} is used twice", code.id());
            assert_eq!(code.id().parse::<Code>().as_ref(), Ok(code));
        }
    }

    #[test]
    fn the_kind_decides_unless_the_catalogue_states_otherwise() {
        for code in Code::ALL {
            let http = code.http_status();
            let of_kind = match code.kind() {
                Kind::Verdict => http == 422,
                Kind::Usage => (400..500).contains(&http) || http == 501,
                Kind::NotFound => http == 404,
                Kind::Environment => matches!(http, 408 | 503 | 504),
                Kind::Bug => http == 500,
                Kind::Interrupted => http == 503,
            };
            assert!(of_kind, "{code}: HTTP {http}");
            assert!(!code.retryable() || code.kind() == Kind::Environment, "{code}");
            if let Some(own) = code.own_http_status() {
                // Several codes may have it; a refusal without a code of its own gets one of them.
                assert_eq!(Code::of_http_status(own).http_status(), own, "{code}");
            }
        }
        // The table of TF Serving's gateway between gRPC and HTTP, for the statuses that errors have.
        for (code, grpc, number) in [
            (Code::RequestMalformed, "INVALID_ARGUMENT", 3),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 4),
            (Code::ModelNotFound, "NOT_FOUND", 5),
            (Code::NotAllowed, "PERMISSION_DENIED", 7),
            (Code::RequestTooLarge, "RESOURCE_EXHAUSTED", 8),
            (Code::NotBlessed, "FAILED_PRECONDITION", 9),
            (Code::NotSupported, "UNIMPLEMENTED", 12),
            (Code::Internal, "INTERNAL", 13),
            (Code::NotReady, "UNAVAILABLE", 14),
            (Code::Unauthenticated, "UNAUTHENTICATED", 16),
        ] {
            assert_eq!((code.grpc_status().name(), code.grpc_status().number()), (grpc, number), "{code}");
        }
    }
}
