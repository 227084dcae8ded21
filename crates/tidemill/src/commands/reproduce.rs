//! `tidemill reproduce`: make a model again from its lineage, and compare the two.

use std::sync::Arc;

use console::style;
use serde_json::Value;
use tidemill_core::{CancelFlag, Failure, NoProgress};
use tidemill_project::{Reproduction, cores};

use crate::cli::{Global, ReproduceArgs};
use crate::commands::{find_project, print};

pub async fn reproduce(args: &ReproduceArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let cancel = CancelFlag::default();
    let made = tidemill_project::reproduce(&project, &args.model, cores(), Arc::new(NoProgress), cancel).await?;
    print(global, &made, || text(&made))?;
    Ok(u8::from(!made.identical))
}

fn text(made: &Reproduction) -> String {
    let Reproduction { model, version, step, run, registered, .. } = made;
    let short: String = registered.to_string().chars().take(12).collect();
    if made.identical {
        let mark = style("✓").green();
        return format!(
            "{mark} {model} version {version}: step `{step}` of run {run} made the same package again, every byte ({short}…)\n"
        );
    }
    let mark = style("✗").red();
    let mut text = format!("{mark} {model} version {version}: step `{step}` of run {run} makes another package now\n");
    text.push_str(&format!("  files that differ: {}\n", made.different.join(", ")));
    for reason in &made.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    for part in ["train", "validation"] {
        for (name, then) in made.metrics[0][part].as_object().into_iter().flatten() {
            let now = &made.metrics[1][part][name];
            let shown = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), |value| format!("{value:.6}"));
            text.push_str(&format!("  {part} {name}: {} then, {} now\n", shown(then), shown(now)));
        }
    }
    text
}
