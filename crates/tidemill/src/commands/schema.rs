//! `tidemill schema …`: JSON Schemas for editors, differences, edits, other formats.

use std::path::Path;

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Anomaly, Code, Failure, Schema};
use tidemill_pipeline::pipeline_schema;
use tidemill_project::{components, cores};
use tidemill_serving::endpoint::spec::EndpointSpec;
use tidemill_validation::{
    Comparison, SchemaChange, SchemaUpdate, compare, read_schema_with_notes, schema_diff, schema_to_pbtxt, schema_yaml,
    update_schema, validate,
};

use crate::cli::{Global, SchemaCommand, SchemaConvertArgs, SchemaDiffArgs, SchemaUpdateArgs};
use crate::commands::data::statistics;
use crate::commands::{print, say, write_out};
use crate::ui::printable;

pub fn schema(command: &SchemaCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        SchemaCommand::Pipeline => json_schema(&pipeline_schema(&components(None, None))),
        SchemaCommand::Endpoint => json_schema(&EndpointSpec::json_schema()),
        SchemaCommand::Schema => json_schema(&schemars::schema_for!(Schema).to_value()),
        SchemaCommand::Diff(args) => diff(args, global),
        SchemaCommand::Update(args) => update(args, global),
        SchemaCommand::Convert(args) => convert(args, global),
    }
}

fn json_schema(schema: &Value) -> Result<u8, Failure> {
    write_out(&format!("{schema:#}\n"))?;
    Ok(0)
}

/// The schema in a file; what it says that Tidemill has no word for is said.
pub(super) fn read(path: &Path, global: &Global) -> Result<Schema, Failure> {
    let (schema, notes) = read_schema_with_notes(path)?;
    for note in notes {
        say(global, &format!("{} `{}`: {note}", style("warning:").yellow().for_stderr(), path.display()));
    }
    Ok(schema)
}

/// The text of a schema for a file of that name, and what it has no word for.
pub(super) fn text_for(path: &Path, schema: &Schema, yaml: impl FnOnce() -> String, global: &Global) -> String {
    if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pbtxt")) {
        return yaml();
    }
    let (text, notes) = schema_to_pbtxt(schema);
    for note in notes {
        say(global, &format!("{} {note}", style("warning:").yellow().for_stderr()));
    }
    text
}

/// Refuses to write over a file that may have been curated.
pub(super) fn refuse_to_replace(path: &Path, force: bool) -> Result<(), Failure> {
    if !path.exists() || force {
        return Ok(());
    }
    let message = format!("`{}` is there already, and may have been curated", path.display());
    Err(Failure::new(Code::CommandLine, message).with_hint("name another file, or replace it with `--force`"))
}

fn convert(args: &SchemaConvertArgs, global: &Global) -> Result<u8, Failure> {
    let schema = read(&args.file, global)?;
    refuse_to_replace(&args.out, args.force)?;
    let text = text_for(&args.out, &schema, || schema_yaml(&schema), global);
    tidemill_files::write(&args.out, text)?;
    print(global, &json!({ "file": args.out, "features": schema.features.len() }), || {
        format!("wrote the schema of {} features to `{}`\n", schema.features.len(), args.out.display())
    })?;
    Ok(0)
}

fn diff(args: &SchemaDiffArgs, global: &Global) -> Result<u8, Failure> {
    let changes = schema_diff(&read(&args.before, global)?, &read(&args.after, global)?);
    print(global, &changes, || changes_text(&changes))?;
    Ok(u8::from(!changes.is_empty()))
}

fn changes_text(changes: &[SchemaChange]) -> String {
    if changes.is_empty() {
        return format!("{} the schemas say the same\n", style("✓").green());
    }
    let mut out = String::new();
    let mut heading = String::new();
    for change in changes {
        let depth = if change.path.first().is_some_and(|key| key == "features") { 2 } else { 1 };
        let (head, rest) = change.path.split_at(depth.min(change.path.len()));
        let head = printable(head.last().map_or("", String::as_str)).into_owned();
        if head != heading {
            out.push_str(&format!("{}\n", style(&head).bold()));
            heading = head;
        }
        let key = if rest.is_empty() { String::new() } else { format!("{}: ", rest.join(".")) };
        let shown = |value: &Value| match value {
            Value::String(text) => printable(text).into_owned(),
            other => printable(&other.to_string()).into_owned(),
        };
        out.push_str(&match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("  {key}{} → {}\n", shown(before), shown(after)),
            (Some(before), None) => format!("  {}\n", style(format!("- {key}{}", shown(before))).red()),
            (None, Some(after)) => format!("  {}\n", style(format!("+ {key}{}", shown(after))).green()),
            (None, None) => String::new(),
        });
    }
    out
}

fn update(args: &SchemaUpdateArgs, global: &Global) -> Result<u8, Failure> {
    if args.schema.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pbtxt")) {
        return Err(Failure::new(Code::CommandLine, format!("`{}` is edited as YAML only", args.schema.display()))
            .with_hint("write it as YAML with `tidemill schema convert`"));
    }
    let text = std::fs::read_to_string(&args.schema).map_err(|error| Failure::io(&args.schema, &error))?;
    let schema = read(&args.schema, global)?;
    let wanted = args.accept.iter().map(|text| Wanted::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let options = args.input.options().with_hints(&schema);
    let load = |path: &Path| statistics(path, &options, args.weight.as_ref(), cores(), global);
    let data = load(&args.data)?;
    let mut anomalies = validate(&data, &schema, &args.environment);
    let drift = match &args.baseline {
        Some(path) => {
            let before = load(path)?;
            Some(compare(&before, &data, &schema, &args.environment, Comparison::Drift))
        }
        None => None,
    };
    anomalies.extend(drift.iter().flat_map(|report| report.anomalies.iter().cloned()));
    for wanted in &wanted {
        if !anomalies.iter().any(|anomaly| wanted.admits(anomaly)) {
            return Err(Failure::new(Code::CommandLine, format!("the data has no anomaly `{}`", wanted.text))
                .with_hint(known(&anomalies)));
        }
    }
    anomalies.retain(|anomaly| wanted.iter().any(|wanted| wanted.admits(anomaly)));
    let update = update_schema(&text, &args.schema, &anomalies, &data, drift.as_ref())?;
    let changed = update.text != text;
    if changed && !args.dry_run {
        tidemill_files::write(&args.schema, &update.text)?;
    }
    let refused: Vec<Value> = update
        .refused
        .iter()
        .map(|(anomaly, reason)| json!({ "feature": anomaly.feature, "type": anomaly.anomaly_type, "reason": reason }))
        .collect();
    let result = json!({
        "file": args.schema,
        "written": changed && !args.dry_run,
        "accepted": update.accepted,
        "refused": refused,
        "changes": schema_diff(&schema, &update.schema),
    });
    print(global, &result, || update_text(&text, &update, args))?;
    Ok(u8::from(!update.refused.is_empty()))
}

/// `ANOMALY` or `ANOMALY:FEATURE`.
struct Wanted<'a> {
    text: &'a str,
    kind: &'a str,
    feature: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let (kind, feature) = text.split_once(':').map_or((text, None), |(kind, feature)| (kind, Some(feature)));
        let names: Vec<String> = tidemill_core::AnomalyType::ALL.iter().map(ToString::to_string).collect();
        if kind != "all" && !names.iter().any(|name| name == kind) {
            let failure = Failure::new(Code::CommandLine, format!("`{kind}` is no anomaly type"));
            return Err(match tidemill_core::suggest(kind, names.iter().map(String::as_str)) {
                Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
                None => failure.with_hint("`tidemill validate` names the types; `all` stands for every one"),
            });
        }
        Ok(Self { text, kind, feature })
    }

    fn admits(&self, anomaly: &Anomaly) -> bool {
        (self.kind == "all" || anomaly.anomaly_type.to_string() == self.kind)
            && self.feature.is_none_or(|feature| feature == anomaly.feature)
    }
}

fn known(anomalies: &[Anomaly]) -> String {
    if anomalies.is_empty() {
        return "it has none at all".to_owned();
    }
    let names: Vec<String> =
        anomalies.iter().take(8).map(|anomaly| format!("`{}:{}`", anomaly.anomaly_type, anomaly.feature)).collect();
    format!("it has {}", names.join(", "))
}

fn update_text(before: &str, update: &SchemaUpdate, args: &SchemaUpdateArgs) -> String {
    let mut out = String::new();
    for (sign, line) in line_diff(before, &update.text) {
        let line = printable(line);
        out.push_str(&match sign {
            '-' => format!("{}\n", style(format!("- {line}")).red()),
            '+' => format!("{}\n", style(format!("+ {line}")).green()),
            _ => format!("  {line}\n"),
        });
    }
    for (anomaly, reason) in &update.refused {
        out.push_str(&format!(
            "{} {} of `{}`: {reason}\n",
            style("not accepted:").yellow(),
            anomaly.anomaly_type,
            printable(&anomaly.feature)
        ));
    }
    let many = update.accepted.len();
    let noun = if many == 1 { "anomaly" } else { "anomalies" };
    let file = args.schema.display();
    out.push_str(&if args.dry_run {
        format!("\n{many} {noun} would be accepted; `{file}` is as it was\n")
    } else {
        format!("\n{} {many} {noun} accepted in `{file}`\n", style("✓").green())
    });
    out
}

/// The lines that differ, each with `-` or `+`, and a line around them with a space.
fn line_diff<'t>(before: &'t str, after: &'t str) -> Vec<(char, &'t str)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut last_shown = None;
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        // Edits are small: the nearest pair of lines that agree again ends the difference.
        let reach = (old.len() - i) + (new.len() - j);
        let meet = (1..=reach).find_map(|sum| {
            (0..=sum).map(|skip| (i + skip, j + sum - skip)).find(|(a, b)| {
                (*a == old.len() && *b == new.len()) || (*a < old.len() && *b < new.len() && old[*a] == new[*b])
            })
        });
        let (a, b) = meet.unwrap_or((old.len(), new.len()));
        if i > 0 && last_shown != Some(i - 1) {
            out.push((' ', old[i - 1]));
        }
        out.extend(old[i..a].iter().map(|line| ('-', *line)));
        out.extend(new[j..b].iter().map(|line| ('+', *line)));
        if a < old.len() {
            out.push((' ', old[a]));
            last_shown = Some(a);
        }
        (i, j) = (a, b);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_with_a_line_around_them() {
        let of = |before: &str, after: &str| -> String {
            line_diff(before, after).iter().fold(String::new(), |out, (sign, line)| out + &format!("{sign}{line};"))
        };
        assert_eq!(of("a\nb\nc\nd", "a\nB\nc\nd"), " a;-b;+B; c;");
        assert_eq!(of("a\nb", "a\nx\ny\nb"), " a;+x;+y; b;");
        assert_eq!(of("a\nb\nc", "b\nc\nd"), "-a; b; c;+d;");
        assert_eq!(of("", "a"), "+a;");
        assert_eq!(of("a\nb", "a\nb"), "");
    }
}
