//! `tidemill model warmup`: requests that a version answers before it is available.

use std::path::PathBuf;

use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_model::Model;
use tidemill_serving::{warmup_file, warmup_requests};

use crate::cli::{Global, WarmupArgs};
use crate::commands::model::find_package;
use crate::commands::{make_parent, print, rows};
use crate::ui::count;

pub async fn warmup(args: &WarmupArgs, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(&args.model), global).await?;
    let model = Model::load(&package.path)?;
    let limit = args.records as usize;
    let rows: Vec<Value> = match &args.rows {
        Some(file) => {
            let names: Vec<&str> = model.signature().inputs.iter().map(|input| input.name.as_str()).collect();
            rows::of_file(file, limit, Some(&names), global)?.into_iter().map(Value::Object).collect()
        }
        None => model.sample_rows().iter().map(|row| row.row.clone()).take(limit).collect(),
    };
    let name = &model.manifest().name;
    let bytes = warmup_requests(&model, name, &rows)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => beside(args, &package.path)?,
    };
    make_parent(&out)?;
    tidemill_files::write(&out, &bytes)?;
    print(global, &json!({ "model": package.title, "records": rows.len(), "file": out }), || {
        format!("wrote {} warm-up requests of {} to `{}`\n", count(rows.len() as u64), package.title, out.display())
    })?;
    Ok(0)
}

/// The place in the folder of a package. Artifacts of the store never change, so theirs get none.
fn beside(args: &WarmupArgs, package: &std::path::Path) -> Result<PathBuf, Failure> {
    if package == std::path::Path::new(&args.model) {
        return Ok(warmup_file(package));
    }
    Err(Failure::new(Code::CommandLine, format!("`{}` is kept in the store, where nothing is changed", args.model))
        .with_hint("say where to write with `--out`"))
}
