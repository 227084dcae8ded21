//! `tidemill predict`: the model over every row of a file.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde_json::json;
use tidemill_core::{Code, suggest};
use tidemill_data::{BatchReader, DataError, Format, ReadOptions, Table, check_text_columns};
use tidemill_model::Model;

use crate::cli::{Global, OutputFormat, PredictArgs};
use crate::commands::input::open_input;
use crate::commands::model::find_package;
use crate::commands::{print, say, write_out};
use crate::components::connectors;
use crate::error::Failure;
use crate::ui::count;

pub async fn predict(args: &PredictArgs, global: &Global) -> Result<u8, Failure> {
    if let Some(out) = &args.out {
        refuse_input(&args.file, out)?;
    }
    let package = find_package(args.model.as_deref(), global).await?;
    let model = Model::load(&package.path)?;
    let table = open_input(&args.file, &args.input.options(), global)?;
    let options = ReadOptions { types: Some(input_types(&model, &table)?), ..args.input.options() };
    let reader = table.reopen(&args.file, &options)?.read()?;
    let job = Job::new(&model, &reader, args.keep.as_deref())?;
    if let Some(out) = &args.out {
        let rows = job.to_file(reader, out)?;
        print(global, &json!({ "model": package.title, "rows": rows, "file": out }), || {
            format!("wrote {} predictions of {} to `{}`\n", count(rows), package.title, out.display())
        })?;
        return Ok(0);
    }
    match global.output {
        OutputFormat::Json => job.to_json(reader)?,
        OutputFormat::Text => {
            check_text_columns(&args.file, Format::Csv, &job.schema).map_err(|error| {
                Failure::from(error).with_hint("write Parquet with `--out`, or name the columns to keep with `--keep`")
            })?;
            job.to_csv(reader)?;
        }
    }
    say(global, &format!("predictions of {}", package.title));
    Ok(0)
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
fn input_types(model: &Model, table: &Table) -> Result<SchemaRef, Failure> {
    let present = table.schema();
    let wanted = model.batch_from_rows(&[])?.schema();
    let fields: Vec<_> =
        wanted.fields().iter().filter(|field| present.index_of(field.name()).is_ok()).cloned().collect();
    Ok(Arc::new(Schema::new(fields)))
}

struct Job<'a> {
    model: &'a Model,
    /// Columns of the input that are kept.
    keep: Vec<usize>,
    /// Features that a row may lack and this input lacks altogether.
    absent: Vec<FieldRef>,
    schema: SchemaRef,
}

impl<'a> Job<'a> {
    fn new(model: &'a Model, reader: &BatchReader, keep: Option<&[String]>) -> Result<Self, Failure> {
        let input = reader.schema();
        let keep: Vec<usize> = match keep {
            None => (0..input.fields().len()).collect(),
            Some(names) => names.iter().map(|name| column(&input, name)).collect::<Result<_, _>>()?,
        };
        let output = &model.signature().outputs[0].name;
        let mut fields: Vec<Field> = keep.iter().map(|index| input.field(*index).clone()).collect();
        if let Some(clash) = fields.iter().find(|field| field.name() == output) {
            let message = format!("the input already has a column `{}`", clash.name());
            return Err(Failure::new(Code::DuplicateColumn, message)
                .with_hint("leave it out: name the columns to keep with `--keep`"));
        }
        fields.push(Field::new(output, DataType::Float64, false));
        Ok(Self { model, keep, absent: absent(model, &input)?, schema: Arc::new(Schema::new(fields)) })
    }

    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let predictions = self.model.predict(&self.complete(batch)?)?;
        let mut columns: Vec<ArrayRef> = self.keep.iter().map(|index| batch.column(*index).clone()).collect();
        columns.push(predictions.column(0).clone());
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Failure::new(Code::Internal, format!("predictions do not fit the input: {error}")))
    }

    /// The batch with a missing value in every row for each absent feature, as in a request that leaves it out.
    fn complete(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let mut fields: Vec<FieldRef> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
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
        let mut predictions = Vec::new();
        for batch in reader {
            predictions.extend(self.model.predict_values(&self.complete(&batch?)?)?);
        }
        let document = json!({ "predictions": predictions });
        write_out(&format!("{document:#}\n"))
    }
}

/// Optional features of the model that the input does not have.
fn absent(model: &Model, input: &Schema) -> Result<Vec<FieldRef>, Failure> {
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
