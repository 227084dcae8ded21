//! The laws of tree ensembles.

use proptest::prelude::*;

use super::{CategorySet, Node, Rule, Split, Tree, TreeEnsemble};
use crate::{FeatureBlock, Task};

const FEATURES: usize = 5;

fn leaf(value: f64) -> Node {
    Node::Leaf { value }
}

fn at_most(feature: u32, threshold: f64, missing_left: bool, left: u32, right: u32) -> Node {
    Node::Split(Split { feature, rule: Rule::AtMost(threshold), missing_left, left, right })
}

fn one_of(feature: u32, codes: &[u32], missing_left: bool, left: u32, right: u32) -> Node {
    let rule = Rule::OneOf(codes.iter().copied().collect());
    Node::Split(Split { feature, rule, missing_left, left, right })
}

fn ensemble(nodes: Vec<Node>) -> TreeEnsemble {
    TreeEnsemble::new(Task::Regression, FEATURES, 0.0, vec![Tree::new(nodes).unwrap()]).unwrap()
}

fn predict_one(model: &TreeEnsemble, row: &[f64]) -> f64 {
    let block = FeatureBlock { rows: 1, columns: row.iter().map(|value| vec![*value]).collect() };
    let mut out = Vec::new();
    model.predict(&block, &mut out);
    out[0]
}

#[test]
fn a_number_equal_to_the_threshold_goes_left_and_a_missing_one_where_it_is_told() {
    for missing_left in [true, false] {
        let model = ensemble(vec![at_most(1, 2.5, missing_left, 1, 2), leaf(-1.0), leaf(1.0)]);
        assert_eq!(predict_one(&model, &[0.0, 2.5]), -1.0);
        assert_eq!(predict_one(&model, &[0.0, 2.500_001]), 1.0);
        assert_eq!(predict_one(&model, &[0.0, f64::INFINITY]), 1.0);
        assert_eq!(predict_one(&model, &[0.0, f64::NEG_INFINITY]), -1.0);
        assert_eq!(predict_one(&model, &[0.0, f64::NAN]), if missing_left { -1.0 } else { 1.0 });
        assert_eq!(predict_one(&model, &[0.0]), if missing_left { -1.0 } else { 1.0 }, "an absent column is missing");
    }
}

#[test]
fn only_whole_codes_of_the_set_go_left() {
    for missing_left in [true, false] {
        let model = ensemble(vec![one_of(0, &[0, 3, 200], missing_left, 1, 2), leaf(-1.0), leaf(1.0)]);
        for code in [0.0, 3.0, 200.0] {
            assert_eq!(predict_one(&model, &[code]), -1.0, "{code}");
        }
        for code in [1.0, 63.0, 64.0, 201.0, 1e300, -1.0, -0.5, 3.5, f64::INFINITY] {
            assert_eq!(predict_one(&model, &[code]), 1.0, "{code}");
        }
        assert_eq!(predict_one(&model, &[f64::NAN]), if missing_left { -1.0 } else { 1.0 });
    }
}

#[test]
fn a_binary_prediction_is_the_logistic_function_of_the_sum() {
    let stump = |value| Tree::new(vec![leaf(value)]).unwrap();
    let model = TreeEnsemble::new(Task::Binary, 0, 0.5, vec![stump(1.0), stump(-0.25)]).unwrap();
    // 1 / (1 + e^-1.25)
    assert!((predict_one(&model, &[]) - 0.777_299_861_174_691).abs() < 1e-15);
}

#[test]
fn malformed_trees_are_refused_with_the_reason() {
    let refused = |nodes: Vec<Node>| Tree::new(nodes).unwrap_err().to_string();
    assert!(refused(vec![]).contains("0 nodes"));
    assert!(refused(vec![at_most(0, 1.0, true, 0, 1), leaf(1.0)]).contains("node 0 has the child 0"));
    assert!(refused(vec![at_most(0, 1.0, true, 1, 1), leaf(1.0)]).contains("the child 1"));
    assert!(refused(vec![at_most(0, 1.0, true, 1, 9), leaf(1.0)]).contains("the child 9"));
    assert!(refused(vec![leaf(1.0), leaf(1.0)]).contains("node 1 has no parent"));
    assert!(refused(vec![at_most(0, f64::NAN, true, 1, 2), leaf(1.0), leaf(1.0)]).contains("threshold"));
    assert!(refused(vec![leaf(f64::INFINITY)]).contains("inf"));
    let far = Tree::new(vec![at_most(7, 1.0, true, 1, 2), leaf(1.0), leaf(1.0)]).unwrap();
    let error = TreeEnsemble::new(Task::Binary, 7, 0.0, vec![far]).unwrap_err();
    assert!(error.to_string().contains("tree 0 asks a feature beyond the 7"));
}

#[test]
fn an_absurd_size_is_refused_before_memory_is_reserved() {
    let mut bytes = ensemble(vec![leaf(1.0)]).encode();
    for at in [20, 24, 28] {
        let kept: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(TreeEnsemble::decode(&bytes).unwrap_err().to_string().contains("are expected"));
        bytes[at..at + 4].copy_from_slice(&kept);
    }
    TreeEnsemble::decode(&bytes).unwrap();
    bytes[8] = 3;
    assert!(TreeEnsemble::decode(&bytes).unwrap_err().to_string().contains("format 3"));
}

#[test]
fn a_ranking_keeps_its_group_and_cut_bytes_are_refused() {
    let tree = Tree::new(vec![one_of(3, &[1, 64], true, 1, 2), leaf(-1.0), leaf(0.5)]).unwrap();
    let model = TreeEnsemble::new(Task::Ranking { group: "anfrage_nr".into() }, 4, 0.0, vec![tree]).unwrap();
    let bytes = model.encode();
    assert_eq!(TreeEnsemble::decode(&bytes).unwrap(), model);
    for end in 0..bytes.len() {
        assert!(TreeEnsemble::decode(&bytes[..end]).is_err(), "{end}");
    }
    assert!(TreeEnsemble::decode(&[bytes.as_slice(), b"x"].concat()).is_err());
    // The same bytes under the number of the other format.
    let mut older = bytes;
    older[8] = 1;
    assert!(TreeEnsemble::decode(&older).is_err());
}

#[test]
fn an_offset_is_added_explained_and_kept() {
    let tree = Tree::new(vec![at_most(0, 1.0, true, 1, 2), leaf(-1.0), leaf(0.5)]).unwrap();
    let sum = |features| TreeEnsemble::new(Task::Regression, features, 0.25, vec![tree.clone()]).unwrap();
    let model = sum(2).with_link(super::Link::Exp).unwrap().with_offset(Some(1)).unwrap();
    assert_eq!(predict_one(&model, &[0.0, 2.0]), (0.25_f64 + 2.0 - 1.0).exp());
    // Without a value it adds nothing, and a prediction stays a number.
    assert_eq!(predict_one(&model, &[0.0, f64::NAN]), (0.25_f64 - 1.0).exp());
    let explained = model.contributions(&[0.0, 2.0], &[vec![2.0, 1.0], vec![2.0, f64::NAN]]);
    assert_eq!((explained.features[1], explained.base), (1.5, 0.25 + 0.5 + 0.5));
    assert!((explained.score() - 1.25).abs() < 1e-12);
    let bytes = model.encode();
    assert_eq!(TreeEnsemble::decode(&bytes).unwrap(), model);
    for end in 0..bytes.len() {
        assert!(TreeEnsemble::decode(&bytes[..end]).is_err(), "{end}");
    }
    assert!(sum(1).with_offset(Some(1)).unwrap_err().to_string().contains("feature 1 of 1"));
    assert!(sum(2).with_offset(Some(0)).unwrap_err().to_string().contains("asks the feature 0"));
}

#[test]
fn the_encoding_is_the_documented_one() {
    let model = ensemble(vec![one_of(3, &[1, 64], true, 1, 2), leaf(-1.0), leaf(0.5)]);
    let mut expected = b"TMTREES\0".to_vec();
    for number in [1_u32, 1, FEATURES as u32, 1, 3, 2] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(0.0_f64.to_le_bytes());
    for number in [3_u32, 3, u32::MAX, u32::MAX] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend([3, 0, 0]);
    for number in [1_u32, 0, 0, 2, 0, 0] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(2_u64.to_le_bytes());
    for number in [-1.0_f64, 0.5] {
        expected.extend(number.to_le_bytes());
    }
    for word in [2_u64, 1] {
        expected.extend(word.to_le_bytes());
    }
    assert_eq!(model.encode(), expected);
}

/// A tree grown by splitting, again and again, a leaf chosen by `picks`.
fn grown(picks: &[(u16, u32, f64, bool, Vec<u32>)]) -> Tree {
    let mut nodes = vec![leaf(0.125)];
    for (pick, feature, number, missing_left, codes) in picks {
        let leaves: Vec<usize> = (0..nodes.len()).filter(|at| matches!(nodes[*at], Node::Leaf { .. })).collect();
        let at = leaves[*pick as usize % leaves.len()];
        let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
        nodes[at] = if codes.is_empty() {
            at_most(*feature, *number, *missing_left, left, right)
        } else {
            one_of(*feature, codes, *missing_left, left, right)
        };
        nodes.push(leaf(number * 0.3));
        nodes.push(leaf(-number));
    }
    Tree::new(nodes).unwrap()
}

#[test]
fn many_trees_over_many_features_give_the_same_bits_alone_and_in_a_batch() {
    // More features than fit the stack, more nodes than a block of trees, more rows than go through at once.
    let (features, rows) = (90, 2500);
    let hash = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let tree = |number: usize| {
        let pick = |at: usize| {
            let number = hash(number * 31 + at);
            let codes = if number % 3 == 0 { vec![number as u32 % 7, 70] } else { vec![] };
            (number as u16, (number % features) as u32, (number % 9) as f64, number % 2 == 0, codes)
        };
        grown(&(0..14).map(pick).collect::<Vec<_>>())
    };
    let model = TreeEnsemble::new(Task::Regression, features as usize, 0.1, (0..150).map(tree).collect()).unwrap();
    assert!(model.trees().iter().map(|tree| tree.nodes().len()).sum::<usize>() > 4000);
    let value = |row: usize, feature: usize| match hash(row * 97 + feature) % 11 {
        10 => f64::NAN,
        number => number as f64,
    };
    let columns = (0..features as usize).map(|f| (0..rows).map(|row| value(row, f)).collect()).collect();
    let mut batch = Vec::new();
    model.predict(&FeatureBlock { rows, columns }, &mut batch);
    for (row, predicted) in batch.iter().enumerate() {
        let cells: Vec<f64> = (0..features as usize).map(|feature| value(row, feature)).collect();
        assert_eq!(predicted.to_bits(), predict_one(&model, &cells).to_bits());
        let score = model.trees().iter().fold(model.base_score(), |sum, tree| sum + tree.value(&cells));
        assert_eq!(predicted.to_bits(), score.to_bits());
    }
}

#[test]
fn shallow_trees_of_numbers_give_the_same_bits_in_every_shape() {
    let hash = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let values = [-1.5, -0.0, 0.0, 0.25, 2.0, 1e300, f64::NEG_INFINITY, f64::INFINITY];
    // The last one has more thresholds a feature than 8 bits tell apart.
    for (features, splits, count, fine) in
        [(3_usize, 31, 37, false), (70, 7, 19, false), (1, 1, 3, false), (2, 63, 12, false), (2, 63, 30, true)]
    {
        let tree = |number: usize| {
            // Breadth first, so that the tree stays shallow.
            let mut nodes = vec![leaf(0.5)];
            for step in 0..splits {
                let pick = hash(number * 97 + step) as usize;
                let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
                let threshold = if fine { (pick / 7 % 4001) as f64 / 4000.0 } else { values[pick / 7 % 7] };
                nodes[step] = at_most((pick % features) as u32, threshold, pick % 5 < 2, left, right);
                nodes.extend([leaf(pick as f64 * 0.01), leaf(-(pick as f64) * 0.03)]);
            }
            Tree::new(nodes).unwrap()
        };
        let model = TreeEnsemble::new(Task::Regression, features, 0.1, (0..count).map(tree).collect()).unwrap();
        let cell = |row: usize, feature: usize| match hash(row * 131 + feature) as usize % 10 {
            8 => f64::NAN,
            9 => 0.3,
            _ if fine => (hash(row * 17 + feature) % 5001) as f64 / 4000.0 - 0.1,
            at => values[at],
        };
        for rows in [1, 3, 47, 48, 65, 1090] {
            let columns = (0..features).map(|f| (0..rows).map(|row| cell(row, f)).collect()).collect();
            let mut batch = Vec::new();
            model.predict(&FeatureBlock { rows, columns }, &mut batch);
            for (row, predicted) in batch.iter().enumerate() {
                let cells: Vec<f64> = (0..features).map(|feature| cell(row, feature)).collect();
                let score = model.trees().iter().fold(model.base_score(), |sum, tree| sum + tree.value(&cells));
                assert_eq!(predicted.to_bits(), score.to_bits(), "{features} features, row {row} of {rows}");
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    let codes = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(0_u32..150, 1..6)];
    let pick = (any::<u16>(), 0..FEATURES as u32, -4.0..4.0_f64, any::<bool>(), codes);
    prop::collection::vec(prop::collection::vec(pick, 0..12), 0..20)
        .prop_map(|trees| trees.iter().map(|picks| grown(picks)).collect())
}

fn cell() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -5.0..5.0_f64, 2 => (0_u32..160).prop_map(f64::from), 1 => Just(f64::NAN), 1 => any::<f64>()]
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(trees in trees(), base in -3.0..3.0_f64) {
        let model = TreeEnsemble::new(Task::Binary, FEATURES, base, trees).unwrap();
        let bytes = model.encode();
        let back = TreeEnsemble::decode(&bytes).unwrap();
        prop_assert_eq!(&back, &model);
        prop_assert_eq!(back.encode(), bytes);
    }

    #[test]
    fn a_row_gives_the_same_bits_alone_and_in_a_batch_and_by_definition(
        trees in trees(),
        rows in prop::collection::vec(prop::collection::vec(cell(), FEATURES), 1..40),
        copies in 1..40_usize,
    ) {
        let model = TreeEnsemble::new(Task::Binary, FEATURES, 0.1, trees).unwrap();
        let count = rows.len() * copies;
        let columns = (0..FEATURES).map(|f| (0..count).map(|r| rows[r % rows.len()][f]).collect()).collect();
        let block = FeatureBlock { rows: count, columns };
        let mut batch = Vec::new();
        model.predict(&block, &mut batch);
        for (at, row) in rows.iter().enumerate() {
            let alone = predict_one(&model, row);
            let score = model.trees().iter().fold(model.base_score(), |sum, tree| sum + tree.value(row));
            prop_assert_eq!(alone.to_bits(), (1.0 / (1.0 + (-score).exp())).to_bits());
            for copy in 0..copies {
                prop_assert_eq!(batch[copy * rows.len() + at].to_bits(), alone.to_bits());
            }
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(TreeEnsemble::decode(&bytes).is_err());
    }

    #[test]
    fn damaged_bytes_never_panic(
        trees in trees(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        cells in prop::collection::vec(cell(), FEATURES),
    ) {
        let mut bytes = TreeEnsemble::new(Task::Regression, FEATURES, 0.0, trees).unwrap().encode();
        prop_assert!(TreeEnsemble::decode(&bytes[..cut.index(bytes.len())]).is_err());
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(model) = TreeEnsemble::decode(&bytes) {
            predict_one(&model, &cells);
        }
    }

    #[test]
    fn a_category_set_holds_exactly_its_codes(codes in prop::collection::btree_set(0_u32..1000, 0..20)) {
        let set: CategorySet = codes.iter().copied().collect();
        prop_assert_eq!(set.codes().collect::<Vec<_>>(), codes.iter().copied().collect::<Vec<_>>());
        prop_assert!((0..1000).all(|code| set.contains(code) == codes.contains(&code)));
        prop_assert_eq!(CategorySet::from_words(set.words().to_vec()), set);
    }
}
