//! Load from a small binary, for measuring servers: `load URL MODEL RATE SECONDS CONNECTIONS [ROWS [PROTOCOL]]`.
//!
//! The same as `tidemill loadtest … -o json` without the rest of the binary; RATE may be `max`, PROTOCOL `oip`. Rows are
//! made up from what the server says the model takes, or read from the file `ROWS_FILE` names, a JSON list of objects.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tidemill_loadtest::{
    Load, LoadError, LoadProgress, Protocol, Rate, Requests, Row, Target, inputs, run, synthetic_rows, try_request,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |place: usize, default: f64| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(default);
    let [url, model, rate, ..] = &arguments[..] else {
        eprintln!("usage: load URL MODEL RATE SECONDS CONNECTIONS [ROWS [PROTOCOL]]");
        return ExitCode::from(2);
    };
    let load = Load {
        rate: rate.parse().map_or(Rate::Max, Rate::PerSecond),
        duration: Duration::from_secs_f64(number(3, 5.0)),
        warmup: Duration::from_secs(1),
        connections: number(4, 64.0) as usize,
        timeout: Duration::from_secs(10),
    };
    let open = arguments.get(6).is_some_and(|protocol| protocol == "oip");
    match measure(url, model, &load, number(5, 1.0) as usize, open.then_some(Protocol::OpenInference)).await {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

async fn measure(
    url: &str,
    model: &str,
    load: &Load,
    rows_each: usize,
    protocol: Option<Protocol>,
) -> Result<serde_json::Value, LoadError> {
    let target = Target::parse(url, protocol, Some(model))?;
    let file = std::env::var("ROWS_FILE").ok().and_then(|path| std::fs::read(path).ok());
    let given: Option<Vec<Row>> = file.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let (rows, takes) = match given {
        Some(rows) => (rows.iter().cycle().take(500 * rows_each).cloned().collect(), None),
        None => {
            let takes = inputs(&target).await?;
            (synthetic_rows(takes.as_deref().unwrap_or_default(), 500 * rows_each, 7), takes)
        }
    };
    let requests = if target.protocol == Protocol::Raw {
        let body = serde_json::json!({ "instances": rows[..rows_each] });
        Requests::raw(body.to_string().into_bytes(), "application/json")
    } else {
        Requests::new(target.protocol, model, &rows, rows_each, takes.as_deref())?
    };
    let requests = Arc::new(requests);
    try_request(&target, &requests, load.timeout).await?;
    let measured = run(&target, &requests, load, &Arc::new(LoadProgress::default())).await?;
    Ok(serde_json::json!(measured))
}
