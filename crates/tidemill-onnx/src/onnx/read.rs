//! Parses a model file into messages, within bounds.

use std::path::{Component, Path, PathBuf};

use prost::Message as _;
use tidemill_proto::wire::{Content, Wire};

use super::generated::{GraphProto, ModelProto, TensorProto};

/// More messages (nodes, attributes, tensors, names) than this are rejected before any is built.
const MESSAGES_MAX: usize = 1 << 20;
/// More deeply nested messages are rejected.
const DEPTH_MAX: usize = 32;
/// A larger file of tensors is rejected unread.
const DATA_BYTES_MAX: u64 = 2 << 30;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    SequenceType,
    MapType,
    Shape,
    Leaf,
}

impl Kind {
    /// The fields with nested messages, and their types.
    const fn children(self) -> &'static [(u64, Self)] {
        match self {
            Self::Model => &[(7, Self::Graph), (8, Self::Leaf), (14, Self::Leaf), (25, Self::Function)],
            Self::Graph => {
                &[(1, Self::Node), (5, Self::Tensor), (11, Self::Value), (12, Self::Value), (15, Self::Leaf)]
            }
            Self::Function => &[
                (4, Self::Leaf),
                (5, Self::Leaf),
                (6, Self::Leaf),
                (7, Self::Node),
                (9, Self::Leaf),
                (11, Self::Attribute),
            ],
            Self::Node => &[(1, Self::Leaf), (2, Self::Leaf), (5, Self::Attribute)],
            Self::Attribute => &[(5, Self::Tensor), (6, Self::Graph), (10, Self::Tensor)],
            Self::Tensor => &[(13, Self::Leaf)],
            Self::Value | Self::MapType => &[(2, Self::Type)],
            Self::Type => {
                &[(1, Self::TensorType), (4, Self::SequenceType), (5, Self::MapType), (9, Self::SequenceType)]
            }
            Self::TensorType => &[(2, Self::Shape)],
            Self::SequenceType => &[(1, Self::Type)],
            Self::Shape => &[(1, Self::Leaf)],
            Self::Leaf => &[],
        }
    }
}

/// Whether the bytes may be a model: the version of the format comes first, and it is small.
pub(crate) fn looks_like_model(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, version, ..] if *version < 0x40)
}

/// Parses the messages of a model. Tensors in other files are read from `folder` only.
pub(crate) fn read(bytes: &[u8], folder: Option<&Path>) -> Result<ModelProto, String> {
    let mut messages = 0;
    count(bytes, Kind::Model, 0, &mut messages)?;
    let mut model = ModelProto::decode(bytes).map_err(|error| format!("the file is damaged: {error}"))?;
    if let Some(graph) = &mut model.graph {
        fetch(graph, folder)?;
    }
    Ok(model)
}

/// Counts messages without building them: an empty one takes two bytes in a file and hundreds in memory.
fn count(bytes: &[u8], kind: Kind, depth: usize, messages: &mut usize) -> Result<(), String> {
    *messages += 1;
    if *messages > MESSAGES_MAX {
        return Err(format!("it holds more than {MESSAGES_MAX} nodes, attributes and tensors"));
    }
    if depth > DEPTH_MAX {
        return Err(format!("its messages are nested more than {DEPTH_MAX} deep"));
    }
    let children = kind.children();
    if children.is_empty() {
        return Ok(());
    }
    let mut fields = Wire::new(bytes);
    while let Some((field, content)) = fields.next_field().map_err(|reason| format!("the file is damaged: {reason}"))? {
        if let Content::Bytes(content) = content
            && let Some((_, below)) = children.iter().find(|(number, _)| *number == field)
        {
            count(content, *below, depth + 1, messages)?;
        }
    }
    Ok(())
}

/// The files that hold tensors of a model, relative to its folder and within it.
pub(crate) fn external_files(bytes: &[u8]) -> Result<Vec<PathBuf>, String> {
    count(bytes, Kind::Model, 0, &mut 0)?;
    let model = ModelProto::decode(bytes).map_err(|error| format!("the file is damaged: {error}"))?;
    let entries = model.graph.iter().flat_map(|graph| &graph.initializer).flat_map(|tensor| &tensor.external_data);
    let mut files: Vec<PathBuf> =
        entries.filter(|entry| entry.key == "location").map(|entry| PathBuf::from(&entry.value)).collect();
    files.sort();
    files.dedup();
    let leaves = |file: &&PathBuf| !file.components().all(|part| matches!(part, Component::Normal(_)));
    match files.iter().find(leaves) {
        Some(file) => Err(format!("a tensor lies in `{}`, which leaves the folder of the model", file.display())),
        None => Ok(files),
    }
}

/// Loads tensors from files beside the model.
fn fetch(graph: &mut GraphProto, folder: Option<&Path>) -> Result<(), String> {
    for tensor in &mut graph.initializer {
        if tensor.data_location == 1 || !tensor.external_data.is_empty() {
            let bytes = external(tensor, folder).map_err(|reason| format!("the tensor `{}` {reason}", tensor.name))?;
            tensor.raw_data = bytes;
            tensor.external_data.clear();
            tensor.data_location = 0;
        }
    }
    Ok(())
}

fn external(tensor: &TensorProto, folder: Option<&Path>) -> Result<Vec<u8>, String> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let location = entry("location").unwrap_or_default();
    let shown = location.escape_debug();
    let stays = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if location.is_empty() || !stays {
        return Err(format!("lies in `{shown}`, which leaves the folder of the model"));
    }
    let folder = folder.ok_or_else(|| format!("lies in `{shown}`, and the model is not a file"))?;
    let inside = folder.canonicalize().and_then(|folder| Ok((folder.join(location).canonicalize()?, folder)));
    let (path, folder) = inside.map_err(|error| format!("lies in `{shown}`, which cannot be read: {error}"))?;
    if !path.starts_with(folder) {
        return Err(format!("lies in `{shown}`, which leads out of the folder of the model"));
    }
    let bytes = tidemill_model::read_bounded(&path, DATA_BYTES_MAX).map_err(|error| error.to_string())?;
    let number =
        |key: &str| entry(key).map(|text| text.parse::<usize>().map_err(|_| format!("has the {key} `{text}`")));
    let offset = number("offset").transpose()?.unwrap_or(0);
    let length = number("length").transpose()?.unwrap_or(bytes.len().saturating_sub(offset));
    let end = offset.checked_add(length);
    let part = end.and_then(|end| bytes.get(offset..end));
    part.map(<[u8]>::to_vec).ok_or_else(|| format!("asks for {length} bytes at {offset} of `{shown}`, which has fewer"))
}
