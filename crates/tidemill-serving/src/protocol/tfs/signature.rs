//! The signatures of a model, in TF Serving's sense: a name and a method.

use tidemill_model::Task;

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;

/// The signature of a call that names none.
pub(crate) const DEFAULT: &str = "serving_default";

/// The method of a signature.
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

/// The signatures of a model: the default one for predict, and one for its task, if there is a matching method.
pub(crate) fn signatures(target: &TargetSignature) -> Vec<(&'static str, Method)> {
    let of_task = target.task.as_ref().and_then(|task| match task {
        Task::Binary => Some(("classification", Method::Classify)),
        Task::Regression => Some(("regression", Method::Regress)),
        // Several numbers per row are neither a single class nor a value with a score.
        _ => None,
    });
    [(DEFAULT, Method::Predict)].into_iter().chain(of_task).collect()
}

/// Checks that the signature of a call allows its method. The default one also serves the model's own task.
pub(crate) fn check(target: &TargetSignature, method: Method, name: Option<&str>) -> Result<(), RequestError> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    let available = signatures(target);
    let Some((_, named)) = available.iter().find(|(available, _)| *available == name) else {
        return Err(RequestError::invalid(format!("Serving signature name: \"{name}\" not found in signature def")));
    };
    let fits = *named == method || (name == DEFAULT && available.iter().any(|(_, of_task)| *of_task == method));
    if fits {
        return Ok(());
    }
    let list: Vec<String> = available.iter().map(|(name, method)| format!("\"{name}\" ({})", method.name())).collect();
    Err(RequestError::invalid(format!(
        "Expected signature method_name to be {}. Was: {}; the model offers {}",
        method.name(),
        named.name(),
        list.join(", ")
    )))
}
