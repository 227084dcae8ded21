//! `tidemill predict`: the model over every row of a file.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde_json::{Map, Value, json};
use tidemill_cli::JsonList;
use tidemill_core::{Code, Failure, suggest};
use tidemill_data::{BatchReader, DataError, Format, ReadOptions, Table, check_text_columns};
use tidemill_model::{LoadedModel, ValueCheck, arrow_type};
use tidemill_onnx::load_model_with;
use tidemill_project::connectors;

use crate::cli::{Global, OutputFormat, PredictArgs};
use crate::commands::cells::result_cell;
use crate::commands::input::open_input;
use crate::commands::model::find_package;
use crate::commands::{print, say, write_out};
use crate::ui::count;

pub async fn predict(args: &PredictArgs, global: &Global) -> Result<u8, Failure> {
    if !args.rows.is_empty() {
        return predict_rows(args, global).await;
    }
    let (model, file) = model_and_file(args)?;
    if let Some(out) = &args.out {
        refuse_input(file, out)?;
    }
    let package = find_package(model, global).await?;
    let model = load_model_with(&package.path, &args.onnx.options())?;
    let table = open_input(file, &args.input.options(), global)?;
    let options = ReadOptions { types: Some(input_types(&model, &table)?), ..args.input.options() }
        .with_types(args.input.types.iter().cloned());
    let reader = table.reopen(file, &options)?.read()?;
    let job = Job::new(&model, &reader, args.keep.as_deref())?;
    if let Some(out) = &args.out {
        let rows = job.to_file(reader, out)?;
        warn_unusable(job.check.borrow().as_ref(), global);
        print(global, &json!({ "model": package.title, "rows": rows, "file": out }), || {
            format!("wrote {} predictions of {} to `{}`\n", count(rows), package.title, out.display())
        })?;
        return Ok(0);
    }
    match global.output {
        OutputFormat::Json => job.to_json(reader)?,
        OutputFormat::Text => {
            check_text_columns(file, Format::Csv, &job.schema).map_err(|error| {
                Failure::from(error).with_hint("write Parquet with `--out`, or name the columns to keep with `--keep`")
            })?;
            job.to_csv(reader)?;
        }
    }
    warn_unusable(job.check.borrow().as_ref(), global);
    say(global, &format!("predictions of {}", package.title));
    Ok(0)
}

/// The rows of the command line: an answer a line, in the order they were given.
async fn predict_rows(args: &PredictArgs, global: &Global) -> Result<u8, Failure> {
    let model = match (args.files.as_slice(), args.model.as_deref()) {
        ([], model) => model,
        ([model], None) => model.to_str(),
        _ => {
            let message = "with `--row`, only the model stands before it";
            return Err(Failure::new(Code::CommandLine, message).with_hint("`tidemill predict MODEL --row '{…}'`"));
        }
    };
    let rows = args.rows.iter().map(|row| {
        serde_json::from_str::<Value>(row).ok().filter(Value::is_object).ok_or_else(|| {
            Failure::new(Code::CommandLine, format!("`--row {row}` is no JSON object"))
                .with_hint(r#"a name and a value for each feature: `--row '{"fare": 12.5}'`"#)
        })
    });
    let rows: Vec<Value> = rows.collect::<Result<_, _>>()?;
    let package = find_package(model, global).await?;
    let model = load_model_with(&package.path, &args.onnx.options())?;
    let batch = model.batch_from_rows(&rows)?;
    let predictions = model.predict(&batch)?;
    let mut check = model.value_check(&batch.schema())?;
    if let Some(check) = &mut check {
        check.update(&batch)?;
    }
    let answers: Vec<Value> = (0..predictions.num_rows()).map(|row| named(&predictions, row)).collect();
    print(global, &answers, || answers.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n")?;
    warn_unusable(check.as_ref(), global);
    say(global, &format!("predictions of {}", package.title));
    Ok(0)
}

/// Warns of values that the model's steps cannot use: they count as missing or as any other unseen value.
fn warn_unusable(check: Option<&ValueCheck>, global: &Global) {
    for found in check.iter().flat_map(|check| check.found()) {
        say(global, &format!("warning: {found}"));
    }
}

/// The model and the data: `[MODEL] FILE`, or the model by its option.
fn model_and_file(args: &PredictArgs) -> Result<(Option<&str>, &Path), Failure> {
    match (args.files.as_slice(), args.model.as_deref()) {
        ([file], model) => Ok((model, file)),
        ([model, file], None) => Ok((Some(model.to_str().unwrap_or_default()), file)),
        _ => Err(Failure::new(Code::CommandLine, "the model is given twice, before the file and with `--model`")
            .with_hint("`tidemill predict MODEL FILE`, or `tidemill predict FILE --model MODEL`")),
    }
}

/// Predictions never take the place of what they were made from.
pub fn refuse_input(input: &Path, out: &Path) -> Result<(), Failure> {
    let same = matches!((input.canonicalize(), out.canonicalize()), (Ok(input), Ok(out)) if input == out);
    if same || input == out {
        let message = format!("`{}` is the input: it would be written over", out.display());
        return Err(Failure::new(Code::CommandLine, message).with_hint("name another file with `--out`"));
    }
    Ok(())
}

/// The types the model wants, for those of its inputs that the file has; a text file has no types of its own.
fn input_types(model: &LoadedModel, table: &Table) -> Result<SchemaRef, Failure> {
    let present = table.schema();
    let wanted = model.batch_from_rows(&[])?.schema();
    let fields: Vec<_> =
        wanted.fields().iter().filter(|field| present.index_of(field.name()).is_ok()).cloned().collect();
    Ok(Arc::new(Schema::new(fields)))
}

struct Job<'a> {
    model: &'a LoadedModel,
    /// Columns of the input that are kept.
    keep: Vec<usize>,
    /// Features that a row may lack and this input lacks altogether.
    absent: Vec<FieldRef>,
    /// Columns of the input that stand for those of a matrix, by position.
    positions: Vec<(usize, String)>,
    schema: SchemaRef,
    /// Counts the values that the model's steps cannot use.
    check: RefCell<Option<ValueCheck>>,
}

impl<'a> Job<'a> {
    fn new(model: &'a LoadedModel, reader: &BatchReader, keep: Option<&[String]>) -> Result<Self, Failure> {
        let input = reader.schema();
        let keep: Vec<usize> = match keep {
            None => (0..input.fields().len()).collect(),
            Some(names) => names.iter().map(|name| column(&input, name)).collect::<Result<_, _>>()?,
        };
        let mut fields: Vec<Field> = keep.iter().map(|index| input.field(*index).clone()).collect();
        let outputs = &model.signature().outputs;
        if let Some(clash) = fields.iter().find(|field| outputs.iter().any(|output| output.name == *field.name())) {
            let message = format!("the input already has a column `{}`", clash.name());
            return Err(Failure::new(Code::DuplicateColumn, message)
                .with_hint("leave it out: name the columns to keep with `--keep`"));
        }
        fields.extend(outputs.iter().map(|output| Field::new(&output.name, arrow_type(output.datatype), false)));
        let positions = positions(model, &input)?;
        let mut absent = absent(model, &input)?;
        absent.retain(|field| positions.iter().all(|(_, name)| name != field.name()));
        Ok(Self { model, keep, absent, positions, schema: Arc::new(Schema::new(fields)), check: RefCell::new(None) })
    }

    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let predictions = self.predict(batch)?;
        let mut columns: Vec<ArrayRef> = self.keep.iter().map(|index| batch.column(*index).clone()).collect();
        columns.extend(predictions.columns().iter().cloned());
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Failure::new(Code::Internal, format!("predictions do not fit the input: {error}")))
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let batch = self.complete(batch)?;
        let mut check = self.check.borrow_mut();
        if check.is_none() {
            *check = self.model.value_check(&batch.schema())?;
        }
        if let Some(check) = check.as_mut() {
            check.update(&batch)?;
        }
        Ok(self.model.predict(&batch)?)
    }

    /// The batch with a missing value in every row for each absent feature, as in a request that leaves it out.
    fn complete(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let mut fields: Vec<FieldRef> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        for (index, name) in &self.positions {
            fields.push(Arc::new(batch.schema().field(*index).clone().with_name(name)));
            columns.push(batch.column(*index).clone());
        }
        for field in &self.absent {
            columns.push(new_null_array(field.data_type(), batch.num_rows()));
            fields.push(field.clone());
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| Failure::new(Code::Internal, format!("the input cannot be completed: {error}")))
    }

    fn to_file(&self, reader: BatchReader, out: &Path) -> Result<u64, Failure> {
        let mut failure = None;
        let batches = reader.map(|batch| {
            self.batch(&batch?).map_err(|error| {
                // What went wrong is told below; this only makes the writer give up and leave nothing behind.
                let stop = ArrowError::ComputeError(error.message.clone());
                failure = Some(error);
                DataError::Arrow(stop)
            })
        });
        let written = connectors().write_table(out, batches);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(written?),
        }
    }

    fn to_csv(&self, reader: BatchReader) -> Result<(), Failure> {
        let mut head = true;
        for batch in reader {
            let batch = self.batch(&batch?)?;
            let mut text = Vec::new();
            let mut writer = WriterBuilder::new().with_header(head).build(&mut text);
            writer.write(&batch).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
            drop(writer);
            write_out(&String::from_utf8_lossy(&text))?;
            head = false;
        }
        Ok(())
    }

    fn to_json(&self, reader: BatchReader) -> Result<(), Failure> {
        let mut predictions = JsonList::between("{\n\"predictions\": ", "\n}");
        for batch in reader {
            let batch = self.predict(&batch?)?;
            (0..batch.num_rows()).try_for_each(|row| predictions.push(&json_row(&batch, row)))?;
        }
        predictions.print()
    }
}

/// The predictions of a row: bare where there is one, by name where there are several.
fn json_row(batch: &RecordBatch, row: usize) -> Value {
    if let [column] = batch.columns() {
        return result_cell(column, row);
    }
    named(batch, row)
}

/// The predictions of a row by name.
fn named(batch: &RecordBatch, row: usize) -> Value {
    let schema = batch.schema();
    let members = schema.fields().iter().zip(batch.columns());
    Value::Object(
        members.map(|(field, column)| (field.name().clone(), result_cell(column, row))).collect::<Map<_, _>>(),
    )
}

/// The columns that stand for a matrix of the model whose columns have no names of their own: those that are left, in
/// order, if there are as many.
fn positions(model: &LoadedModel, input: &Schema) -> Result<Vec<(usize, String)>, Failure> {
    let signature = model.signature();
    let mut found = Vec::new();
    for group in &signature.input_groups {
        let names: Vec<&String> =
            signature.inputs.iter().skip(group.first).take(group.count).map(|spec| &spec.name).collect();
        if names.iter().any(|name| input.index_of(name).is_ok()) {
            continue;
        }
        let is_input = |name: &str| signature.inputs.iter().any(|spec| spec.name == name);
        let left: Vec<usize> = (0..input.fields().len()).filter(|at| !is_input(input.field(*at).name())).collect();
        if left.len() != group.count || signature.input_groups.len() > 1 {
            let message = format!(
                "the model takes a matrix `{}` of {} columns, and the input has {} that could stand for it",
                group.name,
                group.count,
                left.len()
            );
            return Err(Failure::new(Code::ColumnNotFound, message).with_hint(format!(
                "give exactly those columns, in order, or call them `{}` to `{}`",
                names[0],
                names[names.len() - 1]
            )));
        }
        found.extend(left.into_iter().zip(names.into_iter().cloned()));
    }
    Ok(found)
}

/// Optional features of the model that the input does not have.
fn absent(model: &LoadedModel, input: &Schema) -> Result<Vec<FieldRef>, Failure> {
    let wanted = model.batch_from_rows(&[])?.schema();
    let optional = model.signature().inputs.iter().filter(|spec| spec.optional && input.index_of(&spec.name).is_err());
    Ok(optional.filter_map(|spec| wanted.fields().find(&spec.name).map(|(_, field)| field.clone())).collect())
}

fn column(schema: &Schema, name: &str) -> Result<usize, Failure> {
    schema.index_of(name).map_err(|_| {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let failure = Failure::new(Code::ColumnNotFound, format!("the input has no column `{name}`"));
        match suggest(name, names) {
            Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
            None => failure,
        }
    })
}
