//! Flags of TF Serving that mean nothing here and stand in command lines that should work all the same.

use std::ffi::OsString;

/// Whole names, and with `*` beginnings of names.
const FLAGS: &[&str] = &[
    "allow_version_labels_for_unavailable_models",
    "enable_grpc_healthcheck_service",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "enforce_session_run_timeout",
    "experimental_*",
    "flush_filesystem_caches",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "mixed_precision",
    "num_tflite_*",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_num_threads",
    "saved_model_tags",
    "skip_initialize_tpu",
    "tensorflow_*",
    "thread_pool_factory_config_file",
    "use_tflite_model",
    "xla_*",
];

/// Takes those flags out of the arguments of `serve`: what is left, and the flags that were there. TF Serving knows
/// `--flag` and `--flag=value` only, so nothing else can belong to one.
pub fn without_tolerated(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut passed_over = Vec::new();
    if !arguments.iter().skip(1).any(|argument| argument == "serve") {
        return (arguments, passed_over);
    }
    let mut left = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    for argument in arguments.by_ref() {
        if argument == "--" {
            left.push(argument);
            break;
        }
        match argument.to_str().and_then(tolerated) {
            Some(name) => passed_over.push(name.to_owned()),
            None => left.push(argument),
        }
    }
    left.extend(arguments);
    (left, passed_over)
}

fn tolerated(argument: &str) -> Option<&str> {
    let flag = argument.strip_prefix("--")?;
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    let plain = name.strip_prefix("no").filter(|rest| FLAGS.contains(rest)).unwrap_or(name);
    let known = |flag: &&str| flag.strip_suffix('*').map_or(*flag == plain, |start| plain.starts_with(start));
    FLAGS.iter().any(known).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_harmless_is_passed_over() {
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let line = "tidemill serve --port=8500 --tensorflow_session_parallelism=4 --flush_filesystem_caches \
                    --prefer_tflite_model=false --model_name=half --unknown_flag=1";
        let (left, passed_over) = without_tolerated(arguments(line));
        assert_eq!(left, arguments("tidemill serve --port=8500 --model_name=half --unknown_flag=1"));
        assert_eq!(passed_over, ["tensorflow_session_parallelism", "flush_filesystem_caches", "prefer_tflite_model"]);
        let other = arguments("tidemill run --tensorflow_x=1");
        assert_eq!(without_tolerated(other.clone()), (other, Vec::new()));
    }
}
