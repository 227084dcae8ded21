//! Writes sample taxi trips: `taxi FILE ROWS [PLANT …]`. For measuring by hand what `tidemill sample taxi` does.

use std::path::Path;

use tidemill_data::{TaxiOptions, write_taxi};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, rows, plants @ ..] = &args[..] else { return Err("usage: taxi FILE ROWS [PLANT …]".into()) };
    let plant = plants.iter().map(|plant| plant.parse()).collect::<Result<_, _>>()?;
    let options = TaxiOptions { rows: rows.parse()?, plant, ..TaxiOptions::default() };
    println!("{} rows", write_taxi(Path::new(file), &options)?);
    Ok(())
}
