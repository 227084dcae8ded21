//! Configuration files in the text format of protocol buffers.

use std::path::Path;

use prost::Message;
use tidemill_proto::text::{TextError, from_text};

use super::ConfigError;

/// Reads the file as the text of the message `name` of `tensorflow.serving`.
pub(super) fn read<T: Message + Default>(file: &Path, name: &'static str) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    parse(&text, name).map_err(|TextError { line, column, message: reason }| ConfigError::Text {
        file: file.to_owned(),
        message: name,
        line,
        column,
        reason,
    })
}

fn parse<T: Message + Default>(text: &str, name: &str) -> Result<T, TextError> {
    from_text(&format!("tensorflow.serving.{name}"), text)
}

/// Parses the text as every message type.
#[cfg(feature = "fuzzing")]
pub(crate) fn parse_any(text: &str) {
    use crate::protocol::grpc::proto::tensorflow::serving as proto;
    let _ = parse::<proto::ModelServerConfig>(text, "ModelServerConfig").map(super::model_configs);
    let _ = parse::<proto::BatchingParameters>(text, "BatchingParameters");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::grpc::proto::tensorflow::serving::ModelServerConfig;

    /// An example from TF Serving's documentation, with every way to write a value.
    const GOOD: &str = r#"
        # two models
        model_config_list: {
          config: {
            name: "half",
            base_path: '/models/half';
            model_platform: "tensorflow"
            model_version_policy { specific { versions: 123 versions: 124 } }
            version_labels { key: "stable" value: 123 }
            version_labels: < key: "canary" value: 124 >
          }
          config { name: "other" base_path: "/models/" "other" }
        }"#;

    #[test]
    fn text_is_read_as_tf_serving_reads_it() {
        use crate::protocol::grpc::proto::tensorflow::serving::model_server_config::Config;
        let message: ModelServerConfig = parse(GOOD, "ModelServerConfig").unwrap();
        let Some(Config::ModelConfigList(list)) = message.config else { panic!("no list") };
        assert_eq!(list.config.len(), 2);
        assert_eq!(list.config[0].version_labels["canary"], 124);
        assert_eq!(list.config[1].base_path, "/models/other");
    }

    #[test]
    fn a_wrong_place_has_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("models.config");
        for (text, place) in [
            ("model_config_list {\n  config {\n    nam: \"x\"\n  }\n}", "line 3 column 5"),
            ("model_config_list {\n  config { name: 7 }\n}", "line 2 column 18"),
            ("model_config_list {\n", "line 2 column 1"),
            (&"model_config_list { config { ".repeat(60), "line 1 column 30"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read::<ModelServerConfig>(&file, "ModelServerConfig").unwrap_err().to_string();
            assert!(error.contains(place) && error.contains("models.config"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_text_is_only_an_error(
            at in 0..GOOD.len(),
            out in 0usize..20,
            new in prop_oneof!["[{}<>\\[\\]:\"'#;, a-z0-9\\\\]{0,8}", any::<String>()],
        ) {
            let end = (at + out).min(GOOD.len());
            let text = format!("{}{new}{}", &GOOD[..at], &GOOD[end..]);
            let _ = parse::<ModelServerConfig>(&text, "ModelServerConfig");
        }
    }
}
