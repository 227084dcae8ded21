//! 500 trees over 30 numbers: one row, 32, and 10,000 at once. Complete trees of depth 6, with 250 thresholds a feature as
//! from binned training and with as many as there are nodes; and trees of 31 leaves grown leaf by leaf.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_core::SplitMix64;
use tidemill_model::trees::{Node, Rule, Split, Tree};
use tidemill_model::{FeatureBlock, Task, TreeEnsemble};

const TREES: u64 = 500;
const FEATURES: u64 = 30;

/// A number in [0, 1) for each `index`, the same each time.
fn uniform(index: u64) -> f64 {
    SplitMix64::to_unit(SplitMix64::nth(index))
}

/// A tree of `leaves` leaves; `pick` says which leaf is split next, of so many.
fn tree(number: u64, leaves: u64, bins: Option<u32>, pick: impl Fn(u64, usize) -> usize) -> Tree {
    let chance = |at: u64| uniform(number * 1000 + at);
    let mut nodes = vec![Node::Leaf { value: 0.0 }];
    let mut open = std::collections::VecDeque::from([0_usize]);
    for step in 0..leaves - 1 {
        let at = open.remove(pick(number * 1000 + 800 + step, open.len())).expect("a leaf that is there");
        let feature = (chance(step) * FEATURES as f64) as u32;
        let threshold =
            bins.map_or(chance(200 + step), |bins| (chance(200 + step) * f64::from(bins)).floor() / f64::from(bins));
        let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
        let missing_left = step.is_multiple_of(2);
        nodes[at] = Node::Split(Split { feature, rule: Rule::AtMost(threshold), missing_left, left, right });
        open.extend([nodes.len(), nodes.len() + 1]);
        nodes.extend([0, 1].map(|side| Node::Leaf { value: chance(400 + 2 * step + side) - 0.5 }));
    }
    Tree::new(nodes).expect("a sound tree")
}

fn ensemble(tree: impl Fn(u64) -> Tree) -> TreeEnsemble {
    TreeEnsemble::new(Task::Regression, FEATURES as usize, 0.0, (0..TREES).map(tree).collect()).expect("sound trees")
}

fn bench(criterion: &mut Criterion) {
    let models = [
        ("depth 6, 250 thresholds", ensemble(|number| tree(number, 64, Some(250), |_, _| 0))),
        ("depth 6, all thresholds", ensemble(|number| tree(number, 64, None, |_, _| 0))),
        ("31 leaves", ensemble(|number| tree(number, 31, Some(250), |at, open| (uniform(at) * open as f64) as usize))),
    ];
    for rows in [1, 32, 10_000_u64] {
        let column = |feature| (0..rows).map(|row| uniform(row * FEATURES + feature)).collect();
        let block = FeatureBlock { rows: rows as usize, columns: (0..FEATURES).map(column).collect() };
        let mut group = criterion.benchmark_group(format!("500 trees, {rows} rows"));
        group.throughput(Throughput::Elements(rows));
        for (name, model) in &models {
            let mut out = Vec::new();
            group.bench_function(*name, |bencher| bencher.iter(|| model.scores(black_box(&block), &mut out)));
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
