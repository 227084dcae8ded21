//! `tidemill model run`: asks a model once, with tensors from the command line.

use console::style;
use serde_json::{Map, Value, json};
use tidemill_core::{Code, Failure};
use tidemill_model::{LoadedModel, TensorInfo, TensorRuntime, TensorValue};
use tidemill_onnx::load_model_with;

use crate::cli::{Global, ModelRunArgs};
use crate::commands::model::find_package;
use crate::commands::print;

/// A longer list of values is shortened in text; JSON has all of them.
const SHOWN_CHARS: usize = 2000;

pub async fn run(args: &ModelRunArgs, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(&args.model), global).await?;
    let model = load_model_with(&package.path, &args.onnx.options())?;
    let inputs = inputs(args)?;
    let outputs = match model.tensors() {
        Some(tensors) => ask_tensors(&**tensors, &inputs)?,
        None => ask_columns(&model, &inputs)?,
    };
    print(global, &json!({ "model": package.title, "outputs": outputs }), || {
        let mut text = String::new();
        for output in &outputs {
            let (name, datatype) = (output["name"].as_str().unwrap_or(""), output["datatype"].as_str().unwrap_or(""));
            let values = output["data"].to_string();
            let shown: String = values.chars().take(SHOWN_CHARS).collect();
            let rest = if shown.len() < values.len() { " … (all with `-o json`)" } else { "" };
            let shape = style(format!("{datatype} {}", output["shape"])).dim();
            text.push_str(&format!("{}  {shape}\n{shown}{rest}\n", style(name).bold()));
        }
        text
    })?;
    Ok(0)
}

/// The inputs by name, from `--inputs` and each `--input NAME=JSON`.
fn inputs(args: &ModelRunArgs) -> Result<Map<String, Value>, Failure> {
    let wrong = |message: String| Failure::new(Code::CommandLine, message);
    let mut inputs = match &args.inputs {
        None => Map::new(),
        Some(text) => {
            let hint = r#"an object of tensors by name: `--inputs '{"X": [[1, 2]]}'`, or `@FILE` with one"#;
            let read;
            let json = match text.strip_prefix('@') {
                Some(file) => {
                    let content = std::fs::read_to_string(file);
                    read = content.map_err(|error| wrong(format!("cannot read `{file}`: {error}")))?;
                    read.as_str()
                }
                None => text,
            };
            let value = serde_json::from_str(json);
            let value = value.map_err(|error| wrong(format!("`--inputs` is not JSON: {error}")).with_hint(hint))?;
            let Value::Object(inputs) = value else {
                return Err(wrong("`--inputs` is not a JSON object".to_owned()).with_hint(hint));
            };
            inputs
        }
    };
    for input in &args.input {
        let hint = "a name and a value: `--input 'X=[[1, 2]]'`";
        let (name, value) =
            input.split_once('=').ok_or_else(|| wrong(format!("`--input {input}` has no `=`")).with_hint(hint))?;
        // A bare word is a text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        inputs.insert(name.to_owned(), value);
    }
    Ok(inputs)
}

fn described(infos: &[TensorInfo]) -> String {
    let one = |info: &TensorInfo| format!("`{}` ({} {})", info.name, info.element, info.shape_text());
    infos.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn ask_tensors(model: &dyn TensorRuntime, given: &Map<String, Value>) -> Result<Vec<Value>, Failure> {
    let wrong = |message: String| Failure::new(Code::RequestMalformed, message);
    if let Some(name) = given.keys().find(|name| !model.inputs().iter().any(|info| info.name == **name)) {
        return Err(wrong(format!("the model has no input `{name}`; it takes {}", described(model.inputs()))));
    }
    let mut inputs = Vec::with_capacity(model.inputs().len());
    for info in model.inputs() {
        let value = given.get(&info.name).filter(|value| !value.is_null());
        let tensor = value.map(|value| TensorValue::from_json(info, value)).transpose();
        inputs.push(tensor.map_err(|reason| {
            wrong(format!("input `{}` ({} {}): {reason}", info.name, info.element, info.shape_text()))
        })?);
    }
    let outputs = model.run(inputs)?;
    let one = |(info, value): (&TensorInfo, &TensorValue)| {
        json!({
            "name": info.name, "datatype": value.element.oip_name(), "shape": value.shape, "data": value.to_json(),
        })
    };
    Ok(model.outputs().iter().zip(&outputs).map(one).collect())
}

/// A model of columns: a value, or a list with one for each row, for each input.
fn ask_columns(model: &LoadedModel, given: &Map<String, Value>) -> Result<Vec<Value>, Failure> {
    let rows = given.values().map(|value| value.as_array().map_or(1, Vec::len)).max().unwrap_or(1);
    let uneven = given.iter().find(|(_, value)| value.as_array().is_some_and(|list| list.len() != rows));
    if let Some((name, _)) = uneven {
        return Err(Failure::new(
            Code::RequestMalformed,
            format!("input `{name}` has not {rows} rows, as another has"),
        ));
    }
    let row = |at: usize| -> Value {
        let cell = |value: &Value| value.as_array().map_or_else(|| value.clone(), |list| list[at].clone());
        given.iter().map(|(name, value)| (name.clone(), cell(value))).collect::<Map<_, _>>().into()
    };
    let rows: Vec<Value> = (0..rows).map(row).collect();
    let predictions = model.predict_tensors(&model.batch_from_rows(&rows)?)?;
    let mut outputs = Vec::new();
    for (view, column) in model.signature().output_tensors().iter().zip(predictions.columns()) {
        let data: Vec<Value> =
            (0..predictions.num_rows()).map(|row| crate::commands::cells::result_cell(column, row)).collect();
        let shape = [rows.len()].into_iter().chain(view.width).collect::<Vec<_>>();
        outputs.push(json!({
            "name": view.name, "datatype": view.datatype.oip_name(), "shape": shape, "data": data,
        }));
    }
    Ok(outputs)
}
