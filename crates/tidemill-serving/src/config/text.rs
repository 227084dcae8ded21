//! The text form of protocol buffers.

use std::path::Path;
use std::sync::LazyLock;

use miette::Diagnostic as _;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::ConfigError;
use crate::protocol::grpc::proto::FILE_DESCRIPTOR_SET;

/// Messages within each other at most: the parser calls itself for each.
const DEPTH_MAX: usize = 50;
/// No configuration is larger.
const BYTES_MAX: usize = 16 << 20;

static MESSAGES: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());

/// Reads the file as the text of the message `name` of `tensorflow.serving`.
pub(super) fn read<T: Message + Default>(file: &Path, name: &'static str) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    parse(&text, name).map_err(|(offset, reason)| {
        let before = text.get(..offset).unwrap_or(&text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Text {
            file: file.to_owned(),
            message: name,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
        }
    })
}

/// The message, or at which byte of the text it goes wrong, and how.
fn parse<T: Message + Default>(text: &str, name: &str) -> Result<T, (usize, String)> {
    if text.len() > BYTES_MAX {
        return Err((BYTES_MAX, format!("the text is longer than {BYTES_MAX} bytes")));
    }
    if let Some(offset) = too_deep(text) {
        return Err((offset, format!("more than {DEPTH_MAX} messages within each other")));
    }
    let pool = MESSAGES.as_ref().ok_or_else(|| (0, "the descriptions of messages cannot be read".to_owned()))?;
    let descriptor = pool.get_message_by_name(&format!("tensorflow.serving.{name}"));
    let descriptor = descriptor.ok_or_else(|| (0, format!("there is no message `{name}`")))?;
    let message = DynamicMessage::parse_text_format(descriptor, text).map_err(|error| {
        // Only the end of the text has no place of its own.
        let offset = error.labels().and_then(|mut labels| labels.next()).map_or(text.len(), |label| label.offset());
        (offset, error.to_string())
    })?;
    message.transcode_to().map_err(|error| (0, error.to_string()))
}

/// Reads the text as each message there is.
#[cfg(feature = "fuzzing")]
pub(crate) fn parse_any(text: &str) {
    use crate::protocol::grpc::proto::tensorflow::serving as proto;
    let _ = parse::<proto::ModelServerConfig>(text, "ModelServerConfig").map(super::model_configs);
    let _ = parse::<proto::BatchingParameters>(text, "BatchingParameters");
}

/// Where the text opens too many messages within each other. Strings and comments do not count.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' | b'<' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(at);
                }
            }
            b'}' | b'>' | b']' => depth = depth.saturating_sub(1),
            b'#' => while bytes.next().is_some_and(|(_, byte)| byte != b'\n') {},
            b'"' | b'\'' => {
                while let Some((_, inner)) = bytes.next().filter(|(_, inner)| *inner != byte && *inner != b'\n') {
                    if inner == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::grpc::proto::tensorflow::serving::ModelServerConfig;

    /// As in TF Serving's documentation, with every way to write a thing.
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
            (&"{".repeat(60), "line 1 column 51"),
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
