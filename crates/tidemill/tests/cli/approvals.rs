//! Runs that wait for a person, and protected aliases.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Sandbox;

fn waiting(sandbox: &Sandbox) -> String {
    let list = sandbox.json(&["approvals"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    list[0]["id"].as_str().expect("an id").to_owned()
}

fn with_approval(params: &str) -> Sandbox {
    let sandbox = Sandbox::taxi(3000);
    sandbox.edit("pipeline.yaml", "  push:", &format!("  approve: {{ component: Approval{params} }}\n  push:"));
    sandbox
}

fn states(sandbox: &Sandbox) -> Vec<String> {
    let runs = sandbox.json(&["runs"]);
    runs.as_array().expect("a list").iter().map(|run| run["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn a_run_waits_without_a_process_and_goes_on_as_the_same_run() {
    let sandbox = with_approval(", approvers: [bob, cy], question: \"Ship it?\"");
    let parked = sandbox.tidemill(&["run"]);
    assert!(parked.code == 1 && parked.stdout.contains("approve waits for an approval"), "{parked}");
    let id = waiting(&sandbox);
    let shown = sandbox.tidemill(&["approvals", "show", &id]);
    for part in ["Ship it?", "auc", "may decide: bob, cy"] {
        assert!(shown.stdout.contains(part), "{part}: {shown}");
    }
    let early = sandbox.tidemill(&["retry"]);
    assert!(early.code == 1 && early.stderr.contains("still waits"), "{early}");
    // Another run asks nothing new.
    assert_eq!(sandbox.tidemill(&["run"]).code, 1);
    assert_eq!(waiting(&sandbox), id);
    let denied = sandbox.tidemill(&["approvals", "approve", &id, "--by", "eve"]);
    assert!(denied.code == 2 && denied.stderr.contains("bob, cy may"), "{denied}");
    let first = sandbox.json(&["runs"])[1]["id"].as_str().expect("an id").to_owned();
    let approved = sandbox.tidemill(&["approvals", "approve", &id, "--by", "bob", "--reason", "fine"]);
    assert!(approved.code == 0 && approved.stdout.contains("tidemill retry"), "{approved}");
    let twice = sandbox.tidemill(&["approvals", "reject", &id, "--by", "cy"]);
    assert!(twice.code == 2 && twice.stderr.contains("decided before"), "{twice}");
    let retried = sandbox.json(&["retry", &first]);
    assert_eq!((&retried["state"], retried["run_id"].as_str()), (&Value::from("COMPLETE"), Some(first.as_str())));
    assert_eq!(states(&sandbox), ["WAITING", "COMPLETE"]);
    assert_eq!(sandbox.tidemill(&["retry", "last"]).code, 0);
    assert_eq!(states(&sandbox), ["COMPLETE", "COMPLETE"]);
    let all = sandbox.json(&["approvals", "list", "--all"]);
    assert_eq!((&all[0]["decided_by"], &all[0]["reason"]), (&Value::from("bob"), &Value::from("fine")));
    let nothing = sandbox.tidemill(&["retry"]);
    assert!(nothing.code == 2 && nothing.stderr.contains("nothing to retry"), "{nothing}");
}

#[test]
fn a_rejection_stops_the_steps_below_and_time_can_decide() {
    let sandbox = with_approval(", timeout: 1s");
    assert_eq!(sandbox.tidemill(&["run"]).code, 1);
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let retried = sandbox.json(&["retry"]);
    assert_eq!(retried["state"], "REJECTED");
    assert_eq!(sandbox.json(&["approvals", "list", "--all"])[0]["decided_by"], "time-out");
    assert_eq!(sandbox.json(&["models"]), Value::Array(Vec::new()), "nothing was pushed");
    let again = sandbox.tidemill(&["run"]);
    assert!(again.code == 1 && again.stdout.contains("nobody decided in time"), "{again}");
    let wrong = with_approval(", timeout: soon, secret_variable: \"${env.HOME}\"");
    let check = wrong.tidemill(&["check"]);
    assert!(check.code == 2 && check.stderr.contains("`soon` is no span of time"), "{check}");
}

#[test]
fn up_continues_a_run_that_was_decided_by_a_signed_request() {
    let sandbox = with_approval(", secret_variable: APPROVAL_SECRET");
    assert_eq!(sandbox.tidemill(&["run"]).code, 1);
    let id = waiting(&sandbox);
    let mut command = sandbox.command(&["up", "--no-serve", "--hooks", "127.0.0.1:0"]);
    command.env("APPROVAL_SECRET", "tide").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let said = crate::schedules::lines(child.stderr.take().expect("standard error is a pipe"));
    let line = crate::schedules::until(&said, "receiving signed requests");
    let url = format!("{}/approvals/{id}", line.trim().rsplit(' ').next().expect("an address"));
    let send = |body: &str, key: &[u8]| {
        let signature = format!("sha256={}", tidemill_project::signature(key, body.as_bytes()));
        let request = ureq::post(&url).config().http_status_as_error(false).build();
        request.header("X-Hub-Signature-256", &signature).send(body).expect("an answer").status().as_u16()
    };
    let body = r#"{ "decision": "approve", "by": "ann", "reason": "from chat" }"#;
    assert_eq!(send(body, b"wrong"), 401);
    assert_eq!(send("{}", b"tide"), 400);
    assert_eq!(send(body, b"tide"), 202);
    crate::schedules::until(&said, "is COMPLETE");
    assert_eq!(send(body, b"tide"), 403, "it is decided");
    Command::new("kill").arg(child.id().to_string()).status().expect("`kill` starts");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(states(&sandbox), ["COMPLETE"]);
    assert_eq!(sandbox.json(&["models"])[0]["aliases"][0]["version"], 1);
}

#[test]
fn a_protected_alias_moves_only_to_what_was_approved() {
    let sandbox = Sandbox::trained(3000);
    let settings = sandbox.read("tidemill.toml");
    let protected = "protected_aliases = [\"taxi-tips@champion\"]\napprover_is_not_author = true\n";
    sandbox.write("tidemill.toml", format!("{protected}{settings}"));
    // The pusher of a new model waits by itself.
    let parked = sandbox.tidemill(&["run", "--param", "rounds=40"]);
    assert!(parked.code == 1 && parked.stdout.contains("push waits for an approval"), "{parked}");
    let id = waiting(&sandbox);
    assert_eq!(sandbox.json(&["models"])[0]["aliases"][0]["version"], 1);
    let user = sandbox.json(&["approvals", "show", &id])["author"].as_str().expect("an author").to_owned();
    let own = sandbox.tidemill(&["approvals", "approve", &id, "--by", &user]);
    assert!(own.code == 2 && own.stderr.contains("somebody else has to approve"), "{own}");
    // By hand it does not move either.
    let moved = sandbox.tidemill(&["alias", "taxi-tips", "champion", "2"]);
    assert!(moved.code == 1 && moved.stderr.contains("is protected"), "{moved}");
    assert_eq!(sandbox.tidemill(&["alias", "taxi-tips", "canary", "2"]).code, 0, "others do");
    assert_eq!(sandbox.tidemill(&["approvals", "approve", &id, "--by", "bob"]).code, 0);
    assert_eq!(sandbox.json(&["retry"])["state"], "COMPLETE");
    assert_eq!(sandbox.json(&["models", "taxi-tips"])["model"]["aliases"][1]["version"], 2);
    // Version 1 was never approved: not even a rollback leads to it.
    let back = sandbox.tidemill(&["rollback", "taxi-tips", "--reason", "complaints"]);
    assert!(back.code == 1 && back.stderr.contains("TM6009"), "{back}");
    sandbox.write("tidemill.toml", settings);
    let back = sandbox.tidemill(&["rollback", "taxi-tips", "--reason", "complaints"]);
    assert!(back.code == 0 && back.stdout.contains("2 → 1"), "{back}");
    let history = sandbox.tidemill(&["models", "taxi-tips"]);
    assert!(history.stdout.contains("rollback: complaints"), "{history}");
    let further = sandbox.tidemill(&["rollback", "taxi-tips"]);
    assert!(further.code == 2 && further.stderr.contains("no other version before 1"), "{further}");
}
