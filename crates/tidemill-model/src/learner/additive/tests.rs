use super::*;
use crate::Learner;

fn model(task: Task) -> AdditiveModel {
    let scores = task.columns();
    let numeric = TermBins::Numeric { bounds: vec![0.0, 1.5, 4.0] };
    let categorical = TermBins::Categorical { codes: vec![(0, 2), (3, 1), (7, 2)], bins: 3 };
    let values = |cells: usize| (0..cells * scores).map(|at| ((at * 5 + 2) % 7) as f64 / 4.0 - 0.7).collect();
    let terms = vec![
        AdditiveTerm { features: vec![(0, numeric.clone())], values: values(5) },
        AdditiveTerm { features: vec![(2, categorical.clone())], values: values(4) },
        AdditiveTerm { features: vec![(2, categorical), (0, numeric)], values: values(20) },
    ];
    AdditiveModel::new(task, 3, (0..scores).map(|at| 0.25 * at as f64 - 0.1).collect(), terms).unwrap()
}

fn classes() -> Task {
    Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() }
}

fn block() -> FeatureBlock {
    let numbers = [-1.0, 0.0, 0.1, 1.5, 1.6, 4.0, 5.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let codes = [0.0, 3.0, 7.0, 5.0, -1.0, 0.5, f64::NAN];
    let pairs: Vec<(f64, f64)> = numbers.iter().flat_map(|x| codes.iter().map(|code| (*x, *code))).collect();
    let (first, third) = pairs.into_iter().unzip();
    FeatureBlock { rows: numbers.len() * codes.len(), columns: vec![first, vec![0.0; 70], third] }
}

#[test]
fn a_score_is_the_sum_of_the_values_of_its_bins() {
    let model = model(Task::Regression);
    let terms = model.terms();
    let at = |x: f64, code: f64| {
        model.predict(&FeatureBlock { rows: 1, columns: vec![vec![x], vec![0.0], vec![code]] })[0][0]
    };
    let sum = |x: usize, code: usize| -0.1 + terms[0].values[x] + terms[1].values[code] + terms[2].values[code * 5 + x];
    for ((x, bin), (code, of_code)) in
        [(0.0, 0), (0.5, 1), (9.0, 3), (f64::NAN, 4)].into_iter().zip([(3.0, 1), (7.0, 2), (4.0, 0), (f64::NAN, 3)])
    {
        assert!((at(x, code) - sum(bin, of_code)).abs() < 1e-12, "{x} {code}");
    }
}

#[test]
fn its_trees_give_the_same_scores() {
    for task in [Task::Regression, classes()] {
        let model = model(task.clone());
        let block = block();
        let mut columns: Columns = (0..task.columns())
            .map(|score| {
                let mut out = Vec::new();
                model.trees(score).unwrap().scores(&block, &mut out);
                out
            })
            .collect();
        if task.columns() > 1 {
            softmax_columns(&mut columns);
        }
        for (found, expected) in columns.iter().flatten().zip(model.predict(&block).iter().flatten()) {
            assert!((found - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn contributions_are_those_of_the_trees() {
    let model = model(Task::Binary);
    let background = vec![vec![0.5, 0.0, 3.0], vec![f64::NAN, 0.0, 0.0], vec![2.0, 1.0, 9.0]];
    let trees = model.trees(0).unwrap();
    for row in [[5.0, 1.0, 7.0], [-1.0, 0.0, f64::NAN]] {
        let found = model.contributions(&row, &background).unwrap();
        // The Shapley values of trees are computed in another way.
        let expected = trees.contributions(&row, &background);
        assert!((found.base - expected.base).abs() < 1e-12);
        for (found, expected) in found.features.iter().zip(&expected.features) {
            assert!((found - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn bytes_are_read_back_and_damage_is_refused() {
    for model in [model(Task::Binary), model(classes())] {
        let bytes = model.encode();
        assert_eq!(Learner::decode(AdditiveModel::KIND, &bytes).unwrap(), Learner::Additive(model));
        for end in 0..bytes.len() {
            assert!(AdditiveModel::decode(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let _ = AdditiveModel::decode(&damaged);
        }
    }
}
