//! Lags and windows from a file to the model server: what trains is what answers.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::support::{Sandbox, Server, golden};

const PIPELINE: &str = r"version: 1
pipeline: sales
steps:
  examples: { component: ExampleGen, source: { csv: sales.csv }, splits: { train: 2, eval: 1 } }
  past:     { component: HistoryGen, entity: [store, item], time: date, columns: [sales, price], length: 8w }
  statistics: { component: StatisticsGen }
  schema:     { component: SchemaGen }
  validate:   { component: ExampleValidator }
  transform:
    component: Transform
    label: { column: sales, horizon: 2w }
    history: { time: date }
    features:
      price: numeric
      store: categorical
      sales_2w: { history: sales, steps: { lag: 2w } }
      sales_4w: { history: sales, steps: [ { lag: { age: 4w, within: 1w } }, z_score ] }
      sales_mean: { history: sales, steps: { window: { length: 6w, take: mean } } }
      price_max: { history: price, steps: { window: { take: max } } }
  train:    { component: Trainer, learner: { gradient_boosting: { rounds: 12, min_data_in_leaf: 5 } } }
  evaluate: { component: Evaluator }
  infra:    { component: InfraValidator, latency_p99_ms: 1000 }
  push:     { component: Pusher, model: sales, alias: champion }
";

/// Three years of weeks would take long: 40 weeks of 2 stores with 3 items.
fn sales() -> String {
    let mut text = "store,item,date,price,sales\n".to_owned();
    for week in 0..40_u64 {
        for (store, item) in (0..6).map(|pair| (pair / 3, pair % 3)) {
            let day = 19_700 + week * 7;
            let price = 2.0 + ((week * 7 + item) % 5) as f64 * 0.25;
            let sales = 20 + (week * 13 + store * 7 + item * 5) % 17 + (store * 10);
            let _ = writeln!(text, "s{store},{item},{},{price},{sales}", day * 86_400);
        }
    }
    text
}

fn rows(sandbox: &Sandbox, file: &str) -> Vec<Map<String, Value>> {
    let row = |line: &str| serde_json::from_str(line).expect("a JSON object");
    sandbox.read(file).lines().map(row).collect()
}

#[test]
fn a_model_of_lags_answers_requests_with_history_as_it_predicts_files() {
    let sandbox = Sandbox::empty();
    sandbox.write("pipeline.yaml", PIPELINE);
    sandbox.write("sales.csv", sales());
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    let history = [
        "history",
        "sales.csv",
        "--entity",
        "store,item",
        "--time",
        "date",
        "--columns",
        "sales,price",
        "--length",
        "8w",
        "--out",
    ];
    golden("history", sandbox.tidemill(&[&history[..], &["past.jsonl"]].concat()));
    golden("history-to-csv", sandbox.tidemill(&[&history[..], &["past.csv"]].concat()));
    let predicted = sandbox.tidemill(&["predict", "past.jsonl", "--keep", "sales", "--out", "out.jsonl"]);
    assert_eq!(predicted.code, 0, "{predicted}");
    let expected: Vec<f64> = rows(&sandbox, "out.jsonl").iter().filter_map(|row| row["prediction"].as_f64()).collect();
    assert_eq!(expected.len(), 240);
    golden("history-show", sandbox.tidemill(&["model", "show", "sales"]));

    let server = Server::start(&sandbox);
    let (_, metadata) = server.get("/v2/models/sales");
    let shape = |name: &str| {
        let inputs = metadata["inputs"].as_array().expect("inputs");
        inputs.iter().find(|input| input["name"] == name).map(|input| input["shape"].clone())
    };
    assert_eq!((shape("past_sales"), shape("date")), (Some(json!([-1, -1])), Some(json!([-1]))));
    let names: Vec<String> = metadata["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .filter_map(|input| input["name"].as_str().map(str::to_owned))
        .collect();
    let inputs: Vec<Map<String, Value>> = rows(&sandbox, "past.jsonl")
        .into_iter()
        .map(|row| row.into_iter().filter(|(name, _)| names.contains(name)).collect())
        .collect();
    let (status, answer) = server.post("/v1/models/sales:predict", &json!({ "instances": inputs }).to_string());
    assert_eq!(status, 200, "{answer}");
    let together: Vec<f64> =
        answer["predictions"].as_array().expect("predictions").iter().filter_map(Value::as_f64).collect();
    assert_eq!(together, expected);

    // One row, with more than the model was trained to see: older than 8 weeks, younger than the horizon, later.
    let mut row = inputs[200].clone();
    let date = row["date"].as_i64().expect("seconds");
    for (list, extra) in [
        ("past_date", [date - 99 * 604_800, date - 3 * 86_400, date + 86_400].map(Value::from)),
        ("past_sales", [9_999, 9_999, 9_999].map(Value::from)),
        ("past_price", [0.5, 2.0, 2.0].map(Value::from)),
    ] {
        row[list].as_array_mut().expect("a list").extend(extra);
    }
    let (_, answer) = server.post("/v1/models/sales:predict", &json!({ "instances": [row] }).to_string());
    assert_eq!(answer["predictions"][0].as_f64(), Some(expected[200]), "{answer}");

    // Tensors have rows of one length: null fills up.
    let picked = [0, 100, 239];
    let longest = picked.iter().filter_map(|at| inputs[*at]["past_date"].as_array()).map(Vec::len).max().unwrap_or(0);
    let tensors: Vec<Value> = metadata["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| {
            let name = input["name"].as_str().expect("a name");
            let is_list = input["shape"].as_array().is_some_and(|shape| shape.len() == 2);
            let cells = |at: &usize| match &inputs[*at][name] {
                Value::Array(values) => {
                    values.iter().cloned().chain(std::iter::repeat_n(Value::Null, longest - values.len())).collect()
                }
                value => vec![value.clone()],
            };
            let data: Vec<Value> = picked.iter().flat_map(cells).collect();
            let shape = if is_list { json!([picked.len(), longest]) } else { json!([picked.len()]) };
            json!({ "name": name, "datatype": input["datatype"], "shape": shape, "data": data })
        })
        .collect();
    let (status, answer) = server.post("/v2/models/sales/infer", &json!({ "inputs": tensors }).to_string());
    assert_eq!(status, 200, "{answer}");
    let columns: Vec<f64> =
        answer["outputs"][0]["data"].as_array().expect("data").iter().filter_map(Value::as_f64).collect();
    assert_eq!(columns, picked.map(|at| expected[at]));

    let mut uneven = inputs[200].clone();
    uneven["past_sales"].as_array_mut().expect("a list").pop();
    let (status, answer) = server.post("/v1/models/sales:predict", &json!({ "instances": [uneven] }).to_string());
    assert_eq!(status, 400, "{answer}");
    let mut flat = inputs[200].clone();
    flat["past_sales"] = json!(3.5);
    let (flat_status, flat_answer) =
        server.post("/v1/models/sales:predict", &json!({ "instances": [flat] }).to_string());
    assert_eq!(flat_status, 400, "{flat_answer}");
    golden("history-bad-requests", format!("{answer:#}\n{flat_answer:#}"));
}

#[test]
fn a_lag_within_the_horizon_is_refused_with_its_place() {
    let sandbox = Sandbox::empty();
    sandbox.write("pipeline.yaml", PIPELINE.replace("{ lag: 2w }", "{ lag: 1w }"));
    sandbox.write("sales.csv", sales());
    golden("history-horizon", sandbox.tidemill(&["check"]));
}
