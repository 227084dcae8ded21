//! The bytes of a tree ensemble.

use super::tree::{CategorySet, Node, Rule, Split, Tree, invalid};
use super::{Link, TreeEnsemble};
use crate::{ModelError, Task};

const MAGIC: [u8; 8] = *b"TMTREES\0";
const VERSION: u32 = 1;
const LONGER_VERSION: u32 = 2;
const RANKING: u32 = 3;
const HEADER_BYTES: usize = 40;
/// Bytes of one node over all sections.
const NODE_BYTES: usize = 4 + 1 + 4 + 4 + 8;

const LEAF: u32 = u32::MAX;
const MISSING_LEFT: u8 = 1;
const CATEGORICAL: u8 = 2;

/// # Layout of `learner.bin` for trees, formats 1 and 2
///
/// Little-endian, sections without padding, nothing after the last one. A node is the same index in every section;
/// the nodes of all trees follow on each other, and children are counted from the start of their tree. Format 2 is written
/// for a ranking and for an offset alone, so that an older version refuses these by its number.
///
/// ```text
///  0  magic       8 bytes      "TMTREES\0"
///  8  version     u32          1, or 2 with the last section
/// 12  task        u32          0 binary, 1 regression, 2 regression whose scores are logarithms, 3 ranking
/// 16  features    u32
/// 20  trees       u32          T
/// 24  nodes       u32          N, over all trees
/// 28  words       u32          W, over all category sets
/// 32  base score  f64
/// 40  nodes of each tree       u32 × T
///     feature                  u32 × N    0xffffffff for a leaf
///     flags                    u8 × N     1 missing goes left, 2 categorical
///     left child               u32 × N    0 for a leaf
///     right child              u32 × N    0 for a leaf
///     payload                  8 bytes × N  f64: threshold, or the leaf's value; u64: words of the category set
///     category sets            u64 × W    one after the other, in the order of the nodes
///     in format 2              offset u32: its feature, or 0xffffffff; length u32 and name in UTF-8 of the column of a
///                              ranking's query, empty for another task
/// ```
impl TreeEnsemble {
    /// The bytes of the ensemble. The same ensemble gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let nodes = || self.trees().iter().flat_map(super::tree::Tree::nodes);
        let node_count = nodes().count();
        let words: Vec<u64> =
            nodes().filter_map(category_set).flat_map(super::tree::CategorySet::words).copied().collect();

        let mut bytes =
            Vec::with_capacity(HEADER_BYTES + 4 * self.trees().len() + NODE_BYTES * node_count + 8 * words.len());
        bytes.extend_from_slice(&MAGIC);
        let (task, group) = match (self.task(), self.link()) {
            (Task::Ranking { group }, _) => (RANKING, group.as_str()),
            (_, Link::Logistic) => (0, ""),
            (_, Link::Identity) => (1, ""),
            (_, Link::Exp) => (2, ""),
        };
        let is_longer = task == RANKING || self.offset().is_some();
        let version = if is_longer { LONGER_VERSION } else { VERSION };
        let counts = [self.features(), self.trees().len(), node_count, words.len()].map(|count| count as u32);
        for number in [version, task].into_iter().chain(counts) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.base_score().to_le_bytes());
        for tree in self.trees() {
            bytes.extend_from_slice(&(tree.nodes().len() as u32).to_le_bytes());
        }
        for node in nodes() {
            let feature = split_of(node).map_or(LEAF, |split| split.feature);
            bytes.extend_from_slice(&feature.to_le_bytes());
        }
        bytes.extend(nodes().map(|node| {
            let missing = if split_of(node).is_some_and(|split| split.missing_left) { MISSING_LEFT } else { 0 };
            missing | if category_set(node).is_some() { CATEGORICAL } else { 0 }
        }));
        for node in nodes() {
            bytes.extend_from_slice(&split_of(node).map_or(0, |split| split.left).to_le_bytes());
        }
        for node in nodes() {
            bytes.extend_from_slice(&split_of(node).map_or(0, |split| split.right).to_le_bytes());
        }
        for node in nodes() {
            let payload = match node {
                Node::Leaf { value } => value.to_bits(),
                Node::Split(Split { rule: Rule::AtMost(threshold), .. }) => threshold.to_bits(),
                Node::Split(Split { rule: Rule::OneOf(set), .. }) => set.words().len() as u64,
            };
            bytes.extend_from_slice(&payload.to_le_bytes());
        }
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        if is_longer {
            bytes.extend_from_slice(&self.offset().map_or(LEAF, |feature| feature as u32).to_le_bytes());
            bytes.extend_from_slice(&(group.len() as u32).to_le_bytes());
            bytes.extend_from_slice(group.as_bytes());
        }
        bytes
    }

    /// Reads [`encode`](Self::encode)'s bytes back.
    ///
    /// Damaged or hostile bytes are an error with the reason. Sizes are checked against the bytes at hand before
    /// anything is reserved, so memory stays within a small multiple of their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut rest = bytes;
        if take(&mut rest, 8)? != MAGIC {
            return Err(invalid("the bytes are not a tree ensemble"));
        }
        let version = u32_of(&mut rest)?;
        if ![VERSION, LONGER_VERSION].contains(&version) {
            let known = format!("{VERSION} and {LONGER_VERSION}");
            return Err(invalid(format!("trees of format {version}, and this version of Tidemill reads {known}")));
        }
        let (mut task, link) = match (version, u32_of(&mut rest)?) {
            (_, 0) => (Task::Binary, Link::Logistic),
            (_, 1) => (Task::Regression, Link::Identity),
            (_, 2) => (Task::Regression, Link::Exp),
            (LONGER_VERSION, RANKING) => (Task::Ranking { group: String::new() }, Link::Identity),
            (_, other) => return Err(invalid(format!("the task has the number {other}"))),
        };
        let [features, trees, nodes, words] = [(); 4].map(|()| u32_of(&mut rest));
        let (features, trees, nodes, words) = (features?, trees? as u64, nodes? as u64, words? as u64);
        let base_score = f64::from_bits(u64_of(&mut rest)?);
        let mut offset = None;
        if version == LONGER_VERSION {
            let (feature, name) = last_section(&mut rest, 4 * trees + NODE_BYTES as u64 * nodes + 8 * words)?;
            offset = (feature != LEAF).then_some(feature as usize);
            match &mut task {
                Task::Ranking { group } => *group = name,
                _ if name.is_empty() => {}
                _ => return Err(invalid("a column of queries belongs to a ranking")),
            }
        }
        let expected = 4 * trees + NODE_BYTES as u64 * nodes + 8 * words;
        if rest.len() as u64 != expected {
            return Err(invalid(format!("{} bytes of trees where {expected} are expected", rest.len())));
        }

        let (trees, nodes) = (trees as usize, nodes as usize);
        let mut section = |bytes_each: usize, count: usize| take(&mut rest, bytes_each * count);
        let tree_sizes = section(4, trees)?;
        let sections = Sections {
            feature: section(4, nodes)?,
            flags: section(1, nodes)?,
            left: section(4, nodes)?,
            right: section(4, nodes)?,
            payload: section(8, nodes)?,
        };
        let mut words = rest;
        let mut decoded = Vec::with_capacity(trees);
        let mut first = 0_usize;
        for size in tree_sizes.as_chunks().0 {
            let size = u32::from_le_bytes(*size) as usize;
            if size > nodes - first {
                return Err(invalid("the trees have more nodes than there are"));
            }
            let tree: Result<Vec<Node>, ModelError> =
                (first..first + size).map(|at| sections.node(at, &mut words)).collect();
            decoded.push(Tree::new(tree?)?);
            first += size;
        }
        if first != nodes || !words.is_empty() {
            return Err(invalid("nodes or categories are left over"));
        }
        Self::new(task, features as usize, base_score, decoded)?.with_link(link)?.with_offset(offset)
    }
}

/// Takes the feature of the offset and the column of a ranking's queries off the end of `rest`, which follow `first` bytes.
fn last_section(rest: &mut &[u8], first: u64) -> Result<(u32, String), ModelError> {
    let (trees, mut section) = usize::try_from(first)
        .ok()
        .and_then(|first| rest.split_at_checked(first))
        .ok_or_else(|| invalid("the bytes end too early"))?;
    let (offset, length) = (u32_of(&mut section)?, u32_of(&mut section)? as usize);
    if section.len() != length {
        return Err(invalid(format!("{} bytes of a column's name where {length} are expected", section.len())));
    }
    *rest = trees;
    let name = std::str::from_utf8(section).map_err(|_| invalid("the name of a column is not UTF-8"))?;
    Ok((offset, name.to_owned()))
}

struct Sections<'a> {
    feature: &'a [u8],
    flags: &'a [u8],
    left: &'a [u8],
    right: &'a [u8],
    payload: &'a [u8],
}

impl Sections<'_> {
    /// The node `at`; a category set is taken off the front of `words`.
    fn node(&self, at: usize, words: &mut &[u8]) -> Result<Node, ModelError> {
        let feature = u32_of(&mut from(self.feature, 4 * at))?;
        let flags = self.flags.get(at).copied().unwrap_or_default();
        let left = u32_of(&mut from(self.left, 4 * at))?;
        let right = u32_of(&mut from(self.right, 4 * at))?;
        let payload = u64_of(&mut from(self.payload, 8 * at))?;
        if feature == LEAF {
            if flags != 0 || left != 0 || right != 0 {
                return Err(invalid("a leaf has children or flags"));
            }
            return Ok(Node::Leaf { value: f64::from_bits(payload) });
        }
        if flags & !(MISSING_LEFT | CATEGORICAL) != 0 {
            return Err(invalid(format!("a node has the flags {flags}")));
        }
        let rule = if flags & CATEGORICAL == 0 {
            Rule::AtMost(f64::from_bits(payload))
        } else {
            let bytes = payload.checked_mul(8).and_then(|bytes| usize::try_from(bytes).ok());
            let set = take(words, bytes.ok_or_else(|| invalid("a category set is too large"))?)?;
            Rule::OneOf(CategorySet::from_words(
                set.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect(),
            ))
        };
        Ok(Node::Split(Split { feature, rule, missing_left: flags & MISSING_LEFT != 0, left, right }))
    }
}

fn split_of(node: &Node) -> Option<&Split> {
    match node {
        Node::Leaf { .. } => None,
        Node::Split(split) => Some(split),
    }
}

fn category_set(node: &Node) -> Option<&CategorySet> {
    match &split_of(node)?.rule {
        Rule::AtMost(_) => None,
        Rule::OneOf(set) => Some(set),
    }
}

fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// Takes `count` bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], ModelError> {
    let (front, rest) = bytes.split_at_checked(count).ok_or_else(|| invalid("the bytes end too early"))?;
    *bytes = rest;
    Ok(front)
}

fn u32_of(bytes: &mut &[u8]) -> Result<u32, ModelError> {
    let front = take(bytes, 4)?;
    Ok(front.first_chunk().map_or(0, |number| u32::from_le_bytes(*number)))
}

fn u64_of(bytes: &mut &[u8]) -> Result<u64, ModelError> {
    let front = take(bytes, 8)?;
    Ok(front.first_chunk().map_or(0, |number| u64::from_le_bytes(*number)))
}
