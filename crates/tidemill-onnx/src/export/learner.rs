//! The learner as nodes of ONNX: from the matrix of features to the outputs.

use tidemill_model::trees::Link;
use tidemill_model::{Calibration, CalibrationCurve, ClassTrees, ForestModel, Learner, SumRule, Task, TreeEnsemble};

use super::builder::{Builder, Name, int, ints, strings};
use super::{calibration, linear, neighbors, network, trees};
use crate::onnx::value::datatype;

/// An output of the graph.
pub(super) struct Output {
    pub(super) name: &'static str,
    pub(super) element: i32,
    /// How many values a row has, if that is a second dimension.
    pub(super) width: Option<usize>,
}

/// The outputs of `learner` over the rows of `matrix`, with their public names.
pub(super) fn outputs(graph: &mut Builder, matrix: &str, learner: &Learner) -> Result<Vec<Output>, String> {
    let task = learner.task();
    let predictions = predictions(graph, matrix, learner)?;
    Ok(match task {
        Task::Binary | Task::Regression | Task::Ranking { .. } => {
            vec![named(graph, &predictions, task.output_name(), None)]
        }
        Task::Quantiles { levels } => vec![named(graph, &predictions, Task::QUANTILES, Some(levels.len()))],
        Task::MultiLabel { labels } => vec![named(graph, &predictions, Task::PROBABILITIES, Some(labels.len()))],
        Task::MultiClass { classes } => {
            let largest = graph.op("ArgMax", &[&predictions], vec![int("axis", 1), int("keepdims", 0)]);
            let codes = ints("keys_int64s", (0..classes.len() as i64).collect());
            let class = graph.ml("LabelEncoder", &[&largest], vec![codes, strings("values_strings", classes)]);
            graph.name(&class, Task::CLASS);
            vec![
                Output { name: Task::CLASS, element: datatype::STRING, width: None },
                named(graph, &predictions, Task::PROBABILITIES, Some(classes.len())),
            ]
        }
    })
}

/// The predictions of `learner`: values or probabilities of rows, or a column of probabilities for each class.
fn predictions(graph: &mut Builder, matrix: &str, learner: &Learner) -> Result<Name, String> {
    if let Learner::Calibrated(calibrated) = learner {
        let raw = predictions(graph, matrix, calibrated.learner())?;
        let calibration = match (calibrated.calibration(), learner.task()) {
            // Of one probability a temperature is a curve.
            (Calibration::Temperature(inverse), Task::Binary) => {
                &Calibration::Curves(vec![CalibrationCurve::Sigmoid { slope: *inverse, intercept: 0.0 }])
            }
            (calibration, _) => calibration,
        };
        return Ok(calibration::calibrated(graph, &raw, calibration));
    }
    if let Learner::Ensemble(ensemble) = learner {
        let mut sum: Option<Name> = None;
        for (member, share) in ensemble.members().iter().zip(ensemble.shares()) {
            let predicted = predictions(graph, matrix, &member.learner)?;
            let part = graph.with("Mul", &predicted, share);
            sum = Some(sum.map_or_else(|| part.clone(), |sum| graph.both("Add", &sum, &part)));
        }
        return sum.ok_or_else(|| "an ensemble has no members".to_owned());
    }
    let scores = scores(graph, matrix, learner)?;
    if matches!(learner, Learner::Forest(_) | Learner::Neighbors(_)) {
        // These are shares of classes, or an amount.
        return Ok(scores);
    }
    Ok(match learner.task() {
        Task::Binary => graph.logistic(&scores),
        Task::MultiClass { .. } => match learner {
            Learner::ClassTrees(trees) if trees.rule() == SumRule::OneVsAll => shares(graph, &scores),
            _ => graph.op("Softmax", &[&scores], vec![int("axis", 1)]),
        },
        Task::MultiLabel { .. } => graph.of("Sigmoid", &scores),
        Task::Regression | Task::Quantiles { .. } | Task::Ranking { .. } => scores,
    })
}

/// The scores of `learner`; of an amount its predictions.
fn scores(graph: &mut Builder, matrix: &str, learner: &Learner) -> Result<Name, String> {
    Ok(match learner {
        Learner::Trees(ensemble) => {
            let sums = trees::scores(graph, matrix, ensemble);
            let all = graph.list(&[-1]);
            let sums = graph.op("Reshape", &[&sums, &all], Vec::new());
            let mut scores = graph.with("Add", &sums, ensemble.base_score());
            if let Some(offset) = ensemble.offset() {
                let place = graph.list(&[offset as i64]);
                let column = graph.op("Gather", &[matrix, &place], vec![int("axis", 1)]);
                let column = graph.op("Reshape", &[&column, &all], Vec::new());
                let (absent, none) = (graph.of("IsNaN", &column), graph.number(0.0));
                let added = graph.choose(&absent, &none, &column);
                scores = graph.both("Add", &scores, &added);
            }
            if ensemble.link() == Link::Exp { graph.of("Exp", &scores) } else { scores }
        }
        Learner::ClassTrees(trees) => sums(graph, matrix, trees),
        Learner::Linear(linear) => {
            let scores = linear::scores(graph, matrix, linear);
            if linear.link() == Link::Exp { graph.of("Exp", &scores) } else { scores }
        }
        Learner::Network(network) => network::scores(graph, matrix, network),
        Learner::Additive(additive) => {
            let columns = learner.task().columns();
            let sums: Result<Vec<TreeEnsemble>, _> = (0..columns).map(|score| additive.trees(score)).collect();
            let sums = sum_columns(graph, matrix, &sums.map_err(|error| error.to_string())?);
            let sums = side_by_side(graph, &sums);
            flat(graph, sums, columns)
        }
        Learner::Forest(forest) => forest_means(graph, matrix, forest),
        Learner::Neighbors(model) => neighbors::predictions(graph, matrix, model)?,
        Learner::Calibrated(_) | Learner::Ensemble(_) => return Err("only its predictions are known".to_owned()),
        Learner::Imported(imported) => {
            return Err(format!("the learner is a model of another program, in the format `{}`", imported.kind()));
        }
    })
}

fn named(graph: &mut Builder, of: &str, name: &'static str, width: Option<usize>) -> Output {
    graph.name(of, name);
    Output { name, element: datatype::DOUBLE, width }
}

/// A column for each sum of trees; those of quantiles are in ascending order.
fn sums(graph: &mut Builder, matrix: &str, trees: &ClassTrees) -> Name {
    let mut sums = sum_columns(graph, matrix, trees.sums());
    if trees.rule() == SumRule::Ascending {
        // Bubble sort: after each pass the largest of the rest is at its place.
        for end in (1..sums.len()).rev() {
            for at in 0..end {
                let low = graph.both("Min", &sums[at], &sums[at + 1]);
                let high = graph.both("Max", &sums[at], &sums[at + 1]);
                (sums[at], sums[at + 1]) = (low, high);
            }
        }
    }
    side_by_side(graph, &sums)
}

fn side_by_side(graph: &mut Builder, columns: &[Name]) -> Name {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    graph.op("Concat", &columns, vec![int("axis", 1)])
}

/// A column for each sum of trees.
fn sum_columns(graph: &mut Builder, matrix: &str, sums: &[TreeEnsemble]) -> Vec<Name> {
    let column_of = |sum: &TreeEnsemble| {
        let scores = trees::scores(graph, matrix, sum);
        // The operator's result may have one dimension or two.
        let column = graph.list(&[-1, 1]);
        let scores = graph.op("Reshape", &[&scores, &column], Vec::new());
        graph.with("Add", &scores, sum.base_score())
    };
    sums.iter().map(column_of).collect()
}

/// The logistic functions of the scores, divided by their sum.
fn shares(graph: &mut Builder, scores: &str) -> Name {
    let each = graph.of("Sigmoid", scores);
    let classes = graph.list(&[1]);
    let sum = graph.op("ReduceSum", &[&each, &classes], vec![int("keepdims", 1)]);
    graph.both("Div", &each, &sum)
}

/// The means of a forest: shares of classes, within 0 and 1, or an amount.
fn forest_means(graph: &mut Builder, matrix: &str, forest: &ForestModel) -> Name {
    let means = sum_columns(graph, matrix, forest.sums());
    let means = side_by_side(graph, &means);
    let means = if *forest.task() == Task::Regression {
        means
    } else {
        let above = graph.with("Max", &means, 0.0);
        graph.with("Min", &above, 1.0)
    };
    flat(graph, means, forest.sums().len())
}

/// A matrix as it is, or, of one column, as one value for each row.
fn flat(graph: &mut Builder, values: Name, columns: usize) -> Name {
    if columns > 1 {
        return values;
    }
    let all = graph.list(&[-1]);
    graph.op("Reshape", &[&values, &all], Vec::new())
}
