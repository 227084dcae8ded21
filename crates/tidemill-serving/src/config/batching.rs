//! `BatchingParameters`.

use std::path::Path;
use std::time::Duration;

use super::{ConfigError, text};
use crate::protocol::grpc::proto::tensorflow::serving::BatchingParameters;
use crate::{Batching, BatchingOptions};

impl BatchingOptions {
    /// Reads the file for TF Serving's `--batching_parameters_file`, the text of a `BatchingParameters`: every model
    /// then batches this way.
    pub fn read_file(file: &Path) -> Result<Self, ConfigError> {
        let parameters: BatchingParameters = text::read(file, "BatchingParameters")?;
        options(parameters).map_err(|reason| ConfigError::invalid(file, reason))
    }

    /// The batching parameters in the folder of a version, if it has any: TF Serving's `batching_params.pbtxt`.
    pub(crate) fn of_version(folder: &Path) -> Result<Option<Self>, ConfigError> {
        let file = folder.join("batching_params.pbtxt");
        file.exists().then(|| Self::read_file(&file)).transpose()
    }
}

fn options(parameters: BatchingParameters) -> Result<BatchingOptions, String> {
    let at_least = |name: &str, least: i64, value: Option<i64>| match value {
        Some(value) if value < least => Err(format!("`{name}` is {value} and must be at least {least}")),
        value => Ok(value.map(|value| value as u64)),
    };
    let rows_max = at_least("max_batch_size", 1, parameters.max_batch_size)?;
    let delay = at_least("batch_timeout_micros", 0, parameters.batch_timeout_micros)?;
    let waiting = at_least("max_enqueued_batches", 1, parameters.max_enqueued_batches)?;
    let threads = at_least("num_batch_threads", 1, parameters.num_batch_threads)?;
    let sizes = &parameters.allowed_batch_sizes;
    if !sizes.is_sorted_by(|one, next| one < next) || sizes.first().is_some_and(|size| *size < 1) {
        return Err("`allowed_batch_sizes` must increase".to_owned());
    }
    if let (Some(last), Some(max)) = (sizes.last(), rows_max)
        && *last as u64 != max
    {
        return Err(format!("the last of `allowed_batch_sizes` is {last} and must be `max_batch_size`, {max}"));
    }
    Ok(BatchingOptions {
        mode: Batching::Fixed,
        batch_rows_max: rows_max.map(|rows| rows as usize),
        queue_delay_max: delay.map(Duration::from_micros),
        batches_waiting_max: waiting.map(|batches| batches as usize),
        threads: threads.map(|threads| threads as usize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BatchingOptions, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("batching.config");
        std::fs::write(&file, text).unwrap();
        BatchingOptions::read_file(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_of_tf_serving() {
        let options = read(
            "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 500 }\nmax_enqueued_batches { value: 100 }\n\
             num_batch_threads { value: 4 }\nthread_pool_name { value: \"t\" }\nallowed_batch_sizes: [32, 128]\n\
             pad_variable_length_inputs: true\nenable_large_batch_splitting { value: true }\n",
        );
        let expected = BatchingOptions {
            mode: Batching::Fixed,
            batch_rows_max: Some(128),
            queue_delay_max: Some(Duration::from_micros(500)),
            batches_waiting_max: Some(100),
            threads: Some(4),
        };
        assert_eq!(options, Ok(expected));
        assert_eq!(read("").map(|options| options.mode), Ok(Batching::Fixed));
        for (text, reason) in [
            ("max_batch_size { value: 0 }", "`max_batch_size` is 0 and must be at least 1"),
            ("max_batch_size { value: 8 } allowed_batch_sizes: [4, 9]", "is 9 and must be `max_batch_size`, 8"),
            ("allowed_batch_sizes: [4, 4]", "must increase"),
            ("batch_timeout { value: 1 }", "line 1 column 1"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
