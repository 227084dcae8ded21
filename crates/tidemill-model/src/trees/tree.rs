//! One decision tree.

use crate::ModelError;

/// More features are a mistake; a row of them must fit in memory.
pub(super) const FEATURES_MAX: usize = 1 << 20;

/// A decision tree: nodes in an order where children come after their parent. The first node is the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// A node of a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The walk ends here.
    Leaf {
        /// What the tree adds to the sum. Finite.
        value: f64,
    },
    /// The walk goes on left or right.
    Split(Split),
}

/// A split on one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The feature.
    pub feature: u32,
    /// The rule for present values.
    pub rule: Rule,
    /// Whether a missing value (`NaN`) goes left.
    pub missing_left: bool,
    /// Index of the left child.
    pub left: u32,
    /// Index of the right child.
    pub right: u32,
}

/// The rule that sends a present value left; any other present value goes right.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Values up to the threshold. The threshold is not `NaN`.
    AtMost(f64),
    /// These category codes. A value that is not a whole number, or a code outside the set, goes right.
    OneOf(CategorySet),
}

/// A set of category codes, as a bitset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategorySet {
    /// Bit `code % 64` of word `code / 64`. The last word is not zero.
    words: Vec<u64>,
}

impl CategorySet {
    /// The set whose bits are `words`, lowest code first.
    pub fn from_words(mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }

    /// Whether `code` is in the set.
    pub fn contains(&self, code: u32) -> bool {
        self.words.get((code / 64) as usize).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    /// The codes of the set, ascending.
    pub fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit))
    }

    /// The bits, lowest code first, without zero words at the end.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

impl FromIterator<u32> for CategorySet {
    fn from_iter<I: IntoIterator<Item = u32>>(codes: I) -> Self {
        let mut words = Vec::new();
        for code in codes {
            let at = (code / 64) as usize;
            if words.len() <= at {
                words.resize(at + 1, 0);
            }
            words[at] |= 1 << (code % 64);
        }
        Self { words }
    }
}

/// The remaining budget of words for the category sets of one file: the size of a set depends on its largest code only.
pub struct CategorySetBudget(usize);

impl Default for CategorySetBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl CategorySetBudget {
    /// A budget of 128 MiB for sets.
    pub const fn new() -> Self {
        Self(1 << 24)
    }

    /// Returns `set` if it is within the budget.
    pub fn take(&mut self, set: CategorySet) -> Result<CategorySet, String> {
        let rest = self.0.checked_sub(set.words().len());
        self.0 = rest.ok_or("its sets of categories are too large")?;
        Ok(set)
    }
}

/// The category code of `value`, if it is a whole number that fits 32 bits.
#[inline]
pub(super) fn code_of(value: f64) -> Option<u32> {
    // The cast saturates, so any other number, and NaN, does not convert back to itself.
    let code = value as u32;
    (f64::from(code) == value).then_some(code)
}

impl Tree {
    /// A tree of `nodes`, the root first.
    ///
    /// # Errors
    /// Every node but the root must be the child of exactly one node before it, thresholds must not be `NaN`, leaf
    /// values must be finite.
    pub fn new(nodes: Vec<Node>) -> Result<Self, ModelError> {
        let mut claimed = vec![false; nodes.len()];
        if nodes.is_empty() || u32::try_from(nodes.len()).is_err() {
            return Err(invalid(format!("a tree has {} nodes", nodes.len())));
        }
        for (at, node) in nodes.iter().enumerate() {
            match node {
                Node::Leaf { value } if !value.is_finite() => {
                    return Err(invalid(format!("node {at} is a leaf of value {value}")));
                }
                Node::Leaf { .. } => {}
                Node::Split(split) => {
                    if matches!(split.rule, Rule::AtMost(threshold) if threshold.is_nan()) {
                        return Err(invalid(format!("the threshold of node {at} is not a number")));
                    }
                    for child in [split.left, split.right] {
                        // Children behind their parent leave no room for a cycle, and one parent each none for
                        // subtrees that share nodes and unfold without bound.
                        match claimed.get_mut(child as usize) {
                            Some(taken) if child as usize > at && !*taken => *taken = true,
                            _ => return Err(invalid(format!("node {at} has the child {child}"))),
                        }
                    }
                }
            }
        }
        match claimed.iter().skip(1).position(|taken| !taken) {
            Some(at) => Err(invalid(format!("node {} has no parent", at + 1))),
            None => Ok(Self { nodes }),
        }
    }

    /// The nodes, the root first, children after their parent.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many leaves the tree has.
    pub fn leaves(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }

    /// The value of the leaf that `row` reaches. A feature that `row` lacks is missing.
    ///
    /// This is the definition; prediction runs the compiled form.
    pub fn value(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf { value } => return *value,
                Node::Split(split) => {
                    let value = row.get(split.feature as usize).copied().unwrap_or(f64::NAN);
                    at = if split.goes_left(value) { split.left } else { split.right } as usize;
                }
            }
        }
    }

    /// One more than the highest feature of the tree.
    pub(super) fn features_needed(&self) -> usize {
        let asked = |node: &Node| match node {
            Node::Leaf { .. } => 0,
            Node::Split(split) => split.feature as usize + 1,
        };
        self.nodes.iter().map(asked).max().unwrap_or(0)
    }
}

impl Split {
    /// Whether a row with `value` goes left.
    pub fn goes_left(&self, value: f64) -> bool {
        if value.is_nan() {
            return self.missing_left;
        }
        match &self.rule {
            Rule::AtMost(threshold) => value <= *threshold,
            Rule::OneOf(codes) => code_of(value).is_some_and(|code| codes.contains(code)),
        }
    }
}

pub(crate) fn invalid(reason: impl Into<String>) -> ModelError {
    ModelError::Learner { reason: reason.into() }
}
