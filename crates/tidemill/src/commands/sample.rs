//! `tidemill sample`.

use serde_json::json;
use tidemill_core::{Code, Failure, suggest};
use tidemill_data::{Plant, TaxiOptions, write_taxi};

use crate::cli::{Global, SampleCommand, SampleTaxiArgs};
use crate::commands::{make_parent, print};
use crate::ui::{bytes, count};

pub fn sample(command: &SampleCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        SampleCommand::Taxi(args) => taxi(args, global),
    }
}

fn taxi(args: &SampleTaxiArgs, global: &Global) -> Result<u8, Failure> {
    let plant = args.plant.iter().map(|name| parse_plant(name)).collect::<Result<Vec<Plant>, Failure>>()?;
    let options = TaxiOptions { rows: args.rows, seed: args.seed, span: args.span, plant };
    make_parent(&args.out)?;
    let rows = write_taxi(&args.out, &options)?;
    let size = std::fs::metadata(&args.out).map_or(0, |metadata| metadata.len());
    print(global, &json!({ "file": args.out, "rows": rows, "bytes": size }), || {
        format!("wrote {} trips to `{}` ({})\n", count(rows), args.out.display(), bytes(size))
    })?;
    Ok(0)
}

fn parse_plant(name: &str) -> Result<Plant, Failure> {
    name.parse().map_err(|_| {
        let names = || Plant::ALL.iter().map(|plant| plant.name());
        let hint = suggest(name, names()).map_or_else(
            || format!("troubles: {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Failure::new(Code::CommandLine, format!("there is no trouble called `{name}`")).with_hint(hint)
    })
}
