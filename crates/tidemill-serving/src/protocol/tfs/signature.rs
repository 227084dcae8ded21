//! The signatures a model offers, in TF Serving's sense: a name and what may be done with it.

use tidemill_model::Task;

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;

/// The signature a call gets that names none.
pub(crate) const DEFAULT: &str = "serving_default";

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Predict,
    Classify,
    Regress,
}

impl Method {
    /// The method's name in TF Serving.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Predict => "tensorflow/serving/predict",
            Self::Classify => "tensorflow/serving/classify",
            Self::Regress => "tensorflow/serving/regress",
        }
    }
}

/// The signatures of a model: the default one for predict, and the one that fits its task, where it has one.
pub(crate) fn offered(target: &TargetSignature) -> Vec<(&'static str, Method)> {
    let of_task = target.task.as_ref().and_then(|task| match task {
        Task::Binary => Some(("classification", Method::Classify)),
        Task::Regression => Some(("regression", Method::Regress)),
        // Several numbers a row are no single class or value with a score.
        _ => None,
    });
    [(DEFAULT, Method::Predict)].into_iter().chain(of_task).collect()
}

/// Checks that a call may be made by the signature it names. The default one serves for the model's own task too.
pub(crate) fn check(target: &TargetSignature, method: Method, name: Option<&str>) -> Result<(), RequestError> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    let offered = offered(target);
    let Some((_, named)) = offered.iter().find(|(offered, _)| *offered == name) else {
        return Err(RequestError::invalid(format!("Serving signature name: \"{name}\" not found in signature def")));
    };
    let fits = *named == method || (name == DEFAULT && offered.iter().any(|(_, of_task)| *of_task == method));
    if fits {
        return Ok(());
    }
    let list: Vec<String> = offered.iter().map(|(name, method)| format!("\"{name}\" ({})", method.name())).collect();
    Err(RequestError::invalid(format!(
        "Expected signature method_name to be {}. Was: {}; the model offers {}",
        method.name(),
        named.name(),
        list.join(", ")
    )))
}
