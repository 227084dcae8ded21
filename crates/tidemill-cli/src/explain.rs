//! `tidemill explain`.

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure, suggest};

use crate::terminal::{Align, Table};
use crate::{ExplainArgs, Global, print};

/// Prints the page of an error code, or lists all codes.
pub fn explain(args: &ExplainArgs, global: &Global) -> Result<u8, Failure> {
    match &args.code {
        Some(text) => one(text, global),
        None => all(global),
    }
}

fn page(code: Code) -> serde_json::Value {
    json!({
        "code": code.id(),
        "title": code.title(),
        "help": code.help(),
        "kind": code.kind(),
        "exit_code": code.exit_code(),
        "http_status": code.http_status(),
        "grpc_status": code.grpc_status(),
        "retry": code.retryable(),
    })
}

fn one(text: &str, global: &Global) -> Result<u8, Failure> {
    let code: Code = text.parse().map_err(|_| {
        let near = suggest(text, Code::ALL.iter().map(|code| code.id()));
        Failure::new(Code::CommandLine, format!("`{text}` is not an error code"))
            .with_hint(near.map_or("`tidemill explain` lists all".to_owned(), |near| format!("did you mean `{near}`?")))
    })?;
    print(global, &page(code), || {
        let retry = if code.retryable() { "worth a retry" } else { "a retry changes nothing" };
        let (exit, http, grpc) = (code.exit_code(), code.http_status(), code.grpc_status().name());
        let facts = format!("exit code {exit} · HTTP {http} · gRPC {grpc} · {retry}");
        format!("{} {}\n\n{}\n\n{}\n", style(code.id()).bold(), code.title(), code.help(), style(facts).dim())
    })?;
    Ok(0)
}

fn all(global: &Global) -> Result<u8, Failure> {
    let pages: Vec<_> = Code::ALL.iter().copied().map(page).collect();
    print(global, &pages, || {
        let mut table = Table::new(&[("code", Align::Left), ("exit", Align::Right), ("what", Align::Left)]);
        for code in Code::ALL {
            table.row([code.id().to_owned(), code.exit_code().to_string(), code.title().to_owned()]);
        }
        table.to_string()
    })?;
    Ok(0)
}
