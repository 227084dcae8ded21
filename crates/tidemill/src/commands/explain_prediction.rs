//! `tidemill explain-prediction`: why a row is predicted as it is, what another value would change, and the nearest row that is
//! predicted otherwise.

use console::style;
use serde_json::{Map, Value, json};
use tidemill_core::{Code, DataType, Failure, Task, suggest};
use tidemill_evaluate::{Counterfactual, DECISION_THRESHOLD, Goal, nearest_counterfactual};
use tidemill_model::trees::{PathStep, Rule, TreePath};
use tidemill_model::{Explanation, Model};
use tidemill_onnx::load_package;

use crate::cli::{ExplainPredictionArgs, Global};
use crate::commands::model::find_package;
use crate::commands::rows::of_file;
use crate::commands::{print, say};
use crate::ui::{Align, Table, number};

type Row = Map<String, Value>;

/// Rows of a file whose values a counterfactual may take.
const AMONG_MAX: usize = 5_000;

pub async fn explain_prediction(args: &ExplainPredictionArgs, global: &Global) -> Result<u8, Failure> {
    let package = find_package(args.model.as_deref(), global).await?;
    let model = load_package(&package.path)?;
    let row = row_of(args, &model, global)?;
    let before = explained(&model, &row, args.paths)?;
    let changed = with_values(&model, &row, &args.set)?;
    let after = if args.set.is_empty() { None } else { Some(explained(&model, &changed, args.paths)?) };
    // What is explained is the row as it is asked about: with the values that were set.
    let asked = if args.set.is_empty() { &row } else { &changed };
    let now = after.as_ref().unwrap_or(&before);
    let goal = goal_of(args, &model, &now.numbers)?;
    let others = others_of(args, &model, global)?;
    let nearest = match goal {
        Some((goal, _)) => nearest_counterfactual(&model, asked, &others, goal)?,
        None => None,
    };
    let value = json!({
        "model": package.title,
        "row": row,
        "prediction": named(&model, &before.numbers),
        "contributions": before.contributions_json(),
        "what_if": after.as_ref().map(|after| json!({
            "row": changed,
            "prediction": named(&model, &after.numbers),
            "contributions": after.contributions_json(),
        })),
        "counterfactual": nearest.as_ref().map(|found| json!({
            "wanted": goal.as_ref().map(|(_, told)| told),
            "changes": found.changes,
            "prediction": named(&model, &found.prediction),
        })),
    });
    print(global, &value, || {
        let mut text = told(&model, &before, args.top);
        if let Some(after) = &after {
            text.push_str(&what_if(&model, args, &before, after));
        }
        text.push_str(&told_nearest(&model, goal.as_ref().map(|(_, told)| told.as_str()), nearest.as_ref()));
        text
    })?;
    say(global, &format!("prediction of {}", package.title));
    Ok(0)
}

/// A prediction with its explanation, if the learner has one.
struct Explained {
    numbers: Vec<f64>,
    explanation: Option<Explanation>,
}

impl Explained {
    /// Which number of the prediction is shown: of classes the most probable one.
    fn shown(&self) -> usize {
        (0..self.numbers.len()).max_by(|a, b| self.numbers[*a].total_cmp(&self.numbers[*b]).then(b.cmp(a))).unwrap_or(0)
    }

    /// Features with what they add to the score, the largest first; and the score of an average row.
    fn contributions(&self) -> Option<(f64, Vec<(&str, f64)>)> {
        let explanation = self.explanation.as_ref()?;
        let of_row = explanation.rows.first()?;
        let found = of_row.get(self.shown()).or(of_row.first())?;
        let names = explanation.features.iter().map(String::as_str);
        let mut all: Vec<(&str, f64)> = names.zip(found.features.iter().copied()).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        Some((found.base, all))
    }

    fn contributions_json(&self) -> Value {
        let Some((base, all)) = self.contributions() else { return Value::Null };
        let features: Map<String, Value> =
            all.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        json!({ "base": base, "features": features })
    }

    fn paths(&self) -> &[TreePath] {
        let of_row = self.explanation.as_ref().and_then(|explanation| explanation.paths.first());
        of_row.and_then(|paths| paths.get(self.shown()).or(paths.first())).map_or(&[], Vec::as_slice)
    }
}

fn explained(model: &Model, row: &Row, paths: usize) -> Result<Explained, Failure> {
    let batch = model.batch_from_rows(&[Value::Object(row.clone())])?;
    let numbers = model.predict_columns(&batch)?.iter().map(|column| column[0]).collect();
    Ok(Explained { numbers, explanation: model.explain_with_paths(&batch, paths)? })
}

fn row_of(args: &ExplainPredictionArgs, model: &Model, global: &Global) -> Result<Row, Failure> {
    if let Some(text) = &args.row {
        return match serde_json::from_str(text) {
            Ok(Value::Object(row)) => Ok(row),
            _ => Err(Failure::new(Code::CommandLine, format!("`--row {text}` is not a JSON object"))
                .with_hint(r#"a name and a value for each feature: `--row '{"fare": 12.5}'`"#)),
        };
    }
    let at = usize::try_from(args.at).unwrap_or(usize::MAX);
    let rows = match &args.file {
        Some(file) => of_file(file, at, Some(&inputs_of(model)), global)?,
        None => recorded(model),
    };
    let count = rows.len();
    let row = at.checked_sub(1).and_then(|at| rows.into_iter().nth(at));
    row.ok_or_else(|| {
        let place = args.file.as_ref().map_or_else(|| "the package".to_owned(), |file| format!("`{}`", file.display()));
        Failure::new(Code::CommandLine, format!("there is no row {} in {place}", args.at))
            .with_hint(format!("it has {count} rows; `--row` takes one as JSON"))
    })
}

fn inputs_of(model: &Model) -> Vec<&str> {
    model.graph().inputs().iter().map(|input| input.name.as_str()).collect()
}

fn recorded(model: &Model) -> Vec<Row> {
    model.sample_rows().iter().filter_map(|sample| sample.row.as_object().cloned()).collect()
}

fn others_of(args: &ExplainPredictionArgs, model: &Model, global: &Global) -> Result<Vec<Row>, Failure> {
    match &args.among {
        Some(file) => of_file(file, AMONG_MAX, Some(&inputs_of(model)), global),
        None => Ok(recorded(model)),
    }
}

/// The row with other values, of the types that the inputs have.
fn with_values(model: &Model, row: &Row, set: &[(String, String)]) -> Result<Row, Failure> {
    let mut changed = row.clone();
    for (name, text) in set {
        let Some(input) = model.graph().inputs().iter().find(|input| input.name == *name) else {
            let failure =
                Failure::new(Code::CommandLine, format!("`--set {name}={text}`: the model has no input `{name}`"));
            let known = inputs_of(model);
            return Err(match suggest(name, known.iter().copied()) {
                Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
                None => failure.with_hint(format!("its inputs are {}", known.join(", "))),
            });
        };
        let value = match input.datatype {
            _ if text.is_empty() || text == "null" => Value::Null,
            DataType::Bytes => Value::String(text.clone()),
            _ => serde_json::from_str(text).map_err(|_| {
                Failure::new(Code::CommandLine, format!("`--set {name}={text}`: `{text}` is not a number"))
            })?,
        };
        changed.insert(name.clone(), value);
    }
    Ok(changed)
}

/// What the nearest other row is to be predicted as, and that in words. `None` for a value without `--want`.
fn goal_of(args: &ExplainPredictionArgs, model: &Model, numbers: &[f64]) -> Result<Option<(Goal, String)>, Failure> {
    let task = model.task();
    if let Some(want) = &args.want {
        if let Some(at) = task.classes().iter().position(|class| class == want) {
            return Ok(Some((Goal::Class(at), want.clone())));
        }
        let bound = |sign: &str| want.strip_prefix(sign).and_then(|text| text.trim().parse::<f64>().ok());
        if let (Some(bound), true) = (bound("<="), task.classes().is_empty()) {
            return Ok(Some((Goal::AtMost(0, bound), want.clone())));
        }
        if let (Some(bound), true) = (bound(">"), task.classes().is_empty()) {
            return Ok(Some((Goal::Above(0, bound), want.clone())));
        }
        let failure = Failure::new(Code::CommandLine, format!("`--want {want}` is not a prediction of this model"));
        return Err(if task.classes().is_empty() {
            failure.with_hint("write `--want '>0.5'` or `--want '<=0.5'`")
        } else {
            failure.with_hint(format!("its classes are {}", task.classes().join(", ")))
        });
    }
    Ok(match task {
        Task::Binary => {
            let threshold = model.manifest().decision_threshold.unwrap_or(DECISION_THRESHOLD);
            let is_positive = numbers.first().is_some_and(|score| *score > threshold);
            Some(if is_positive {
                (Goal::AtMost(0, threshold), format!("at most {threshold}"))
            } else {
                (Goal::Above(0, threshold), format!("above {threshold}"))
            })
        }
        Task::MultiClass { classes } => {
            let mut order: Vec<usize> = (0..numbers.len()).collect();
            order.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]));
            order.get(1).map(|second| (Goal::Class(*second), classes[*second].clone()))
        }
        _ => None,
    })
}

/// The numbers of a prediction under their names.
fn named(model: &Model, numbers: &[f64]) -> Value {
    let names = model.task().names();
    if names.is_empty() {
        return json!({ model.task().output_name(): numbers.first() });
    }
    Value::Object(names.iter().zip(numbers).map(|(name, value)| (name.clone(), json!(value))).collect())
}

fn shown_prediction(model: &Model, numbers: &[f64]) -> String {
    let names = model.task().names();
    if names.is_empty() {
        return format!("{} {}", model.task().output_name(), numbers.first().map_or_else(String::new, |n| number(*n)));
    }
    let all: Vec<String> =
        names.iter().zip(numbers).map(|(name, value)| format!("{name} {}", number(*value))).collect();
    all.join(", ")
}

fn told(model: &Model, explained: &Explained, top: usize) -> String {
    let mut text = format!("{}\n", style(shown_prediction(model, &explained.numbers)).bold());
    let Some((base, contributions)) = explained.contributions() else {
        text.push_str("\nthis learner has no explanation of single rows\n");
        return text;
    };
    let of = model.task().names().get(explained.shown()).map_or_else(String::new, |name| format!(" of {name}"));
    text.push_str(&format!("\n{}\n", style(format!("What adds to the score{of}")).bold()));
    let mut table = Table::new(&[("feature", Align::Left), ("adds", Align::Right)]);
    table.row(["an average row".to_owned(), number(base)]);
    for (feature, adds) in contributions.iter().take(top) {
        table.row([(*feature).to_owned(), signed(*adds)]);
    }
    let rest: f64 = contributions.iter().skip(top).map(|(_, adds)| adds).sum();
    if contributions.len() > top {
        table.row([format!("{} others", contributions.len() - top), signed(rest)]);
    }
    table.row(["score".to_owned(), number(base + contributions.iter().map(|(_, adds)| adds).sum::<f64>())]);
    text.push_str(&table.to_string());
    let names = explained.explanation.as_ref().map(|explanation| explanation.features.as_slice()).unwrap_or_default();
    for (tree, path) in explained.paths().iter().enumerate() {
        text.push_str(&format!("\n{}\n", style(format!("Path through tree {}", tree + 1)).bold()));
        for step in &path.steps {
            text.push_str(&format!("  {}\n", told_step(step, names)));
        }
        text.push_str(&format!("  adds {}\n", signed(path.leaf)));
    }
    text
}

fn told_step(step: &PathStep, names: &[String]) -> String {
    let name = names.get(step.feature).map_or("?", String::as_str);
    let value = if step.value.is_nan() { "missing".to_owned() } else { number(step.value) };
    let rule = match &step.rule {
        Rule::AtMost(threshold) => format!("{name} ≤ {}", number(*threshold)),
        Rule::OneOf(codes) => {
            let codes: Vec<String> = codes.codes().map(|code| code.to_string()).collect();
            format!("{name} is one of {}", codes.join(", "))
        }
    };
    format!("{rule}? {} ({value})", if step.left { "yes" } else { "no" })
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

fn what_if(model: &Model, args: &ExplainPredictionArgs, before: &Explained, after: &Explained) -> String {
    let set: Vec<String> = args.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (from, to) = (shown_prediction(model, &before.numbers), shown_prediction(model, &after.numbers));
    format!("\n{}\n  {from} → {to}\n", style(format!("With {}", set.join(", "))).bold())
}

fn told_nearest(model: &Model, wanted: Option<&str>, found: Option<&Counterfactual>) -> String {
    let Some(wanted) = wanted else { return String::new() };
    let head = style(format!("Nearest row predicted {wanted}")).bold();
    let Some(found) = found else {
        return format!(
            "\n{head}\n  none with up to three other values; `--among FILE` gives more values to choose from\n"
        );
    };
    let shown = |value: &Value| match value {
        Value::Null => "missing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(found) => found.as_f64().map_or_else(|| found.to_string(), number),
        other => other.to_string(),
    };
    let mut text = format!("\n{head}\n");
    for change in &found.changes {
        text.push_str(&format!("  {} {} → {}\n", change.column, shown(&change.from), shown(&change.to)));
    }
    text.push_str(&format!("  {}\n", shown_prediction(model, &found.prediction)));
    text
}
