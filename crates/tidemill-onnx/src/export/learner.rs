//! The learner as nodes of ONNX: from the matrix of features to the outputs.

use tidemill_model::trees::Link;
use tidemill_model::{ClassTrees, ForestModel, Learner, LinearFeature, LinearModel, Task, TreeEnsemble};

use super::builder::{Builder, Name, int, ints, strings};
use super::{neighbors, network, trees};
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
    let scores = match learner {
        Learner::Trees(ensemble) => {
            let sums = trees::scores(graph, matrix, ensemble);
            let all = graph.list(&[-1]);
            let sums = graph.op("Reshape", &[&sums, &all], Vec::new());
            let scores = graph.with("Add", &sums, ensemble.base_score());
            if ensemble.link() == Link::Exp { graph.of("Exp", &scores) } else { scores }
        }
        Learner::ClassTrees(trees) => class_scores(graph, matrix, trees),
        Learner::Linear(linear) => linear_scores(graph, matrix, linear),
        Learner::Network(network) => network::scores(graph, matrix, network),
        Learner::Additive(additive) => {
            let sums: Result<Vec<TreeEnsemble>, _> = (0..task.columns()).map(|score| additive.trees(score)).collect();
            let columns = sum_columns(graph, matrix, &sums.map_err(|error| error.to_string())?);
            flat(graph, columns, task.columns())
        }
        Learner::Forest(forest) => forest_means(graph, matrix, forest),
        Learner::Neighbors(model) => neighbors::predictions(graph, matrix, model)?,
        Learner::Imported(imported) => {
            return Err(format!("the learner is a model of another program, in the format `{}`", imported.kind()));
        }
    };
    if matches!(learner, Learner::Forest(_) | Learner::Neighbors(_)) {
        return Ok(from_probabilities(graph, &scores, task));
    }
    Ok(match task {
        Task::Binary => {
            let negative = graph.of("Neg", &scores);
            let power = graph.of("Exp", &negative);
            let sum = graph.with("Add", &power, 1.0);
            let one = graph.number(1.0);
            let probability = graph.both("Div", &one, &sum);
            vec![named(graph, &probability, task.output_name(), None)]
        }
        Task::MultiClass { classes } => {
            let probabilities = graph.op("Softmax", &[&scores], vec![int("axis", 1)]);
            with_class(graph, &probabilities, classes)
        }
        Task::Regression | Task::Ranking { .. } => vec![named(graph, &scores, task.output_name(), None)],
        Task::MultiLabel { labels } => {
            let probabilities = graph.of("Sigmoid", &scores);
            vec![named(graph, &probabilities, Task::PROBABILITIES, Some(labels.len()))]
        }
    })
}

/// The outputs of a learner that gives probabilities, or an amount, without a score.
fn from_probabilities(graph: &mut Builder, values: &str, task: &Task) -> Vec<Output> {
    match task {
        Task::MultiClass { classes } => with_class(graph, values, classes),
        _ => vec![named(graph, values, task.output_name(), None)],
    }
}

/// The most likely class and the probabilities of all.
fn with_class(graph: &mut Builder, probabilities: &str, classes: &[String]) -> Vec<Output> {
    let largest = graph.op("ArgMax", &[probabilities], vec![int("axis", 1), int("keepdims", 0)]);
    let codes = ints("keys_int64s", (0..classes.len() as i64).collect());
    let class = graph.ml("LabelEncoder", &[&largest], vec![codes, strings("values_strings", classes)]);
    graph.name(&class, Task::CLASS);
    vec![
        Output { name: Task::CLASS, element: datatype::STRING, width: None },
        named(graph, probabilities, Task::PROBABILITIES, Some(classes.len())),
    ]
}

fn named(graph: &mut Builder, of: &str, name: &'static str, width: Option<usize>) -> Output {
    graph.name(of, name);
    Output { name, element: datatype::DOUBLE, width }
}

/// A column of scores for each class.
fn class_scores(graph: &mut Builder, matrix: &str, trees: &ClassTrees) -> Name {
    sum_columns(graph, matrix, trees.sums())
}

/// A column for each sum of trees.
fn sum_columns(graph: &mut Builder, matrix: &str, sums: &[TreeEnsemble]) -> Name {
    let sums: Vec<Name> = sums
        .iter()
        .map(|sum| {
            let scores = trees::scores(graph, matrix, sum);
            // The operator's result may have one dimension or two.
            let column = graph.list(&[-1, 1]);
            let scores = graph.op("Reshape", &[&scores, &column], Vec::new());
            graph.with("Add", &scores, sum.base_score())
        })
        .collect();
    let sums: Vec<&str> = sums.iter().map(String::as_str).collect();
    graph.op("Concat", &sums, vec![int("axis", 1)])
}

/// The means of a forest: shares of classes, within 0 and 1, or an amount.
fn forest_means(graph: &mut Builder, matrix: &str, forest: &ForestModel) -> Name {
    let means = sum_columns(graph, matrix, forest.sums());
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

/// One-hot columns for categories, numbers with replacements for missing ones; then one matrix product.
fn linear_scores(graph: &mut Builder, matrix: &str, linear: &LinearModel) -> Name {
    let scores = linear.intercepts().len();
    let (mut parts, mut weights) = (Vec::new(), Vec::new());
    for (at, feature) in linear.features().iter().enumerate() {
        let place = graph.list(&[at as i64]);
        let column = graph.op("Gather", &[matrix, &place], vec![int("axis", 1)]);
        match feature {
            LinearFeature::Number { missing, weights: own } => {
                let (absent, fill) = (graph.of("IsNaN", &column), graph.number(*missing));
                parts.push(graph.choose(&absent, &fill, &column));
                weights.extend_from_slice(own);
            }
            LinearFeature::Categories { weights: own } => {
                let codes: Vec<f64> = (0..own.len()).map(|code| code as f64).collect();
                let codes = graph.table(&[1, codes.len() as i64], &codes);
                let equal = graph.both("Equal", &column, &codes);
                parts.push(graph.cast(&equal, datatype::DOUBLE));
                weights.extend(own.iter().flatten());
            }
        }
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let design = graph.op("Concat", &parts, vec![int("axis", 1)]);
    let weights = graph.table(&[(weights.len() / scores) as i64, scores as i64], &weights);
    let product = graph.both("MatMul", &design, &weights);
    let intercepts = graph.table(&[1, scores as i64], linear.intercepts());
    let sums = graph.both("Add", &product, &intercepts);
    flat(graph, sums, scores)
}
