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
    let kind = code.kind();
    json!({
        "code": code.id(),
        "title": code.title(),
        "help": code.help(),
        "exit_code": kind.exit_code(),
        "http_status": kind.http_status(),
        "retry": kind.retryable(),
    })
}

fn one(text: &str, global: &Global) -> Result<u8, Failure> {
    let code: Code = text.parse().map_err(|_| {
        let near = suggest(text, Code::ALL.iter().map(|code| code.id()));
        Failure::new(Code::CommandLine, format!("`{text}` is not an error code"))
            .with_hint(near.map_or("`tidemill explain` lists all".to_owned(), |near| format!("did you mean `{near}`?")))
    })?;
    print(global, &page(code), || {
        let kind = code.kind();
        let retry = if kind.retryable() { "worth a retry" } else { "a retry changes nothing" };
        let facts = format!("exit code {} · HTTP {} · {retry}", kind.exit_code(), kind.http_status());
        format!("{} {}\n\n{}\n\n{}\n", style(code.id()).bold(), code.title(), code.help(), style(facts).dim())
    })?;
    Ok(0)
}

fn all(global: &Global) -> Result<u8, Failure> {
    let pages: Vec<_> = Code::ALL.iter().copied().map(page).collect();
    print(global, &pages, || {
        let mut table = Table::new(&[("code", Align::Left), ("exit", Align::Right), ("what", Align::Left)]);
        for code in Code::ALL {
            table.row([code.id().to_owned(), code.kind().exit_code().to_string(), code.title().to_owned()]);
        }
        table.to_string()
    })?;
    Ok(0)
}
