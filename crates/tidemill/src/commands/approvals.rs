//! `tidemill approvals`.

use console::style;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidemill_core::Failure;
use tidemill_metadata::{Approval, ApprovalFilter, ApprovalState, Decision, RunState};
use tidemill_pipeline::Workspace;
use tidemill_project::user;

use crate::cli::{ApprovalArgs, ApprovalsArgs, ApprovalsCommand, ApprovalsListArgs, DecideArgs, Global};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, age, number, printable};

pub async fn approvals(args: &ApprovalsArgs, global: &Global) -> Result<u8, Failure> {
    match &args.command {
        None => list(&args.list, global).await,
        Some(ApprovalsCommand::List(args)) => list(args, global).await,
        Some(ApprovalsCommand::Show(args)) => show(args, global).await,
        Some(ApprovalsCommand::Approve(args)) => decide(args, ApprovalState::Approved, global).await,
        Some(ApprovalsCommand::Reject(args)) => decide(args, ApprovalState::Rejected, global).await,
    }
}

async fn list(args: &ApprovalsListArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open_to_read().await?;
    let state = (!args.all).then_some(ApprovalState::Waiting);
    let filter = ApprovalFilter { pipeline: None, state };
    let approvals = workspace.metadata.approvals(&filter, args.list.limit).await?;
    print(global, &approvals, || {
        if approvals.is_empty() {
            return "nothing waits for a decision\n".to_owned();
        }
        let mut table = Table::new(&[
            ("approval", Align::Left),
            ("pipeline", Align::Left),
            ("step", Align::Left),
            ("state", Align::Left),
            ("asked", Align::Left),
            ("", Align::Left),
        ]);
        for approval in &approvals {
            table.row([
                approval.id.short().to_owned(),
                approval.pipeline.clone(),
                approval.step.clone(),
                state_text(approval.state),
                age(approval.requested_at),
                decision_text(approval),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

fn state_text(state: ApprovalState) -> String {
    match state {
        ApprovalState::Waiting => style(state).yellow(),
        ApprovalState::Approved => style(state).green(),
        ApprovalState::Rejected => style(state).red(),
    }
    .to_string()
}

fn decision_text(approval: &Approval) -> String {
    let reason = approval.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    match (&approval.decided_by, approval.expires_at) {
        (Some(by), _) => format!("by {}{reason}", printable(by)),
        (None, Some(expires)) => {
            let what = if approval.on_timeout == ApprovalState::Approved { "approved" } else { "rejected" };
            format!("{what} on {}", expires.strftime("%F %R UTC"))
        }
        (None, None) => String::new(),
    }
}

async fn show(args: &ApprovalArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open_to_read().await?;
    let approval = workspace.metadata.approval(&args.approval).await?;
    print(global, &approval, || shown(&approval))?;
    Ok(0)
}

fn shown(approval: &Approval) -> String {
    let context = |key: &str| approval.context.get(key).and_then(Value::as_str);
    let mut text = format!(
        "{} of {}  {}  {}\n",
        style(&approval.step).bold(),
        approval.pipeline,
        state_text(approval.state),
        style(format!("{} · asked {}", approval.id, age(approval.requested_at))).dim()
    );
    if let Some(question) = context("question") {
        text.push_str(&format!("\n{}\n", printable(question)));
    }
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    let live = context("live").map(|live| format!(", in place of {}", short(live))).unwrap_or_default();
    text.push_str(&format!("\nmodel {}{live}\n", short(&approval.subject)));
    if let Some(metrics) = approval.context.get("metrics").and_then(Value::as_object).filter(|found| !found.is_empty())
    {
        let mut table = Table::new(&[("metric", Align::Left), ("now", Align::Right), ("live", Align::Right)]);
        for (name, values) in metrics {
            let cell = |key: &str| values[key].as_f64().map_or_else(|| "–".to_owned(), number);
            table.row([name.clone(), cell("now"), cell("before")]);
        }
        text.push_str(&table.to_string());
    }
    if let Some(author) = &approval.author {
        text.push_str(&format!("started by {}\n", printable(author)));
    }
    if !approval.approvers.is_empty() {
        text.push_str(&format!("may decide: {}\n", approval.approvers.join(", ")));
    }
    let decision = decision_text(approval);
    if !decision.is_empty() {
        text.push_str(&format!("{decision}\n"));
    }
    if approval.state == ApprovalState::Waiting {
        let id = approval.id.short();
        text.push_str("\nnext:\n");
        let look = approval.context.get("look").and_then(Value::as_array);
        let look = look.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let decide = ["approve", "reject"].map(|verb| format!("tidemill approvals {verb} {id} --reason TEXT"));
        for command in look.chain(decide) {
            text.push_str(&format!("  {command}\n"));
        }
    }
    text
}

async fn decide(args: &DecideArgs, state: ApprovalState, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open().await?;
    let metadata = &workspace.metadata;
    metadata.expire_approvals(Timestamp::now()).await?;
    let asked = metadata.approval(&args.approval).await?;
    let by = args.by.clone().unwrap_or_else(user);
    let decision = Decision { state, by, reason: args.reason.clone() };
    let decided = metadata.decide(&asked.id, decision).await?;
    let next = next_step(&workspace, &decided).await?;
    print(global, &json!({ "approval": decided, "next": next }), || {
        let word = if state == ApprovalState::Approved { "approved" } else { "rejected" };
        let by = decided.decided_by.as_deref().unwrap_or_default();
        let next = next.as_ref().map(|next| format!("\n{next}")).unwrap_or_default();
        format!("{word} by {by}: {} of {}{next}\n", decided.step, decided.pipeline)
    })?;
    Ok(0)
}

/// How the run that asked goes on.
async fn next_step(workspace: &Workspace, approval: &Approval) -> Result<Option<String>, Failure> {
    let Some(id) = &approval.run_id else { return Ok(None) };
    let run = workspace.metadata.run(id.as_str()).await?;
    if run.state != RunState::Waiting {
        return Ok(None);
    }
    if workspace.leases.is_held(&format!("{}.up", approval.pipeline))? {
        return Ok(Some(format!("`tidemill up` continues run {}", run.id.short())));
    }
    Ok(Some(format!("`tidemill retry {}` continues the run", run.id.short())))
}
