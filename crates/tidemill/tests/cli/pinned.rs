//! The version of each component is pinned against the bytes it makes.
//!
//! A cached step is reused as long as its component has the same version. A change of what a component makes must therefore
//! raise its version, or projects keep results that the new code would not give. When this test fails: raise the version of
//! the component whose digest changed, and accept the new table in the same commit.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::Sandbox;

#[test]
fn a_component_that_makes_other_bytes_has_another_version() {
    let sandbox = Sandbox::trained(2_000);
    let status = sandbox.tidemill(&["status", "-o", "json"]);
    let status: Value = serde_json::from_str(&status.stdout).expect("the status is JSON");
    let mut versions: Vec<(String, String)> = Vec::new();
    for entry in status["executions"].as_array().expect("executions") {
        let execution = &entry["execution"];
        let component = execution["component"].as_str().expect("a component").to_owned();
        let version = execution["component_version"].to_string();
        versions.push((execution["step"].as_str().expect("a step").to_owned(), format!("{component} {version}")));
    }
    let artifacts = sandbox.tidemill(&["artifacts", "-o", "json"]);
    let artifacts: Value = serde_json::from_str(&artifacts.stdout).expect("the artifacts are JSON");
    let mut lines = Vec::new();
    for entry in artifacts.as_array().expect("artifacts") {
        let (artifact, step) = (&entry["artifact"], entry["producer"]["step"].as_str().expect("a step"));
        let kind = artifact["artifact_type"].as_str().expect("a type");
        // What was measured, and what names a version, is another each time.
        if ["InfraBlessing", "PushedModel"].contains(&kind) {
            continue;
        }
        let component = versions.iter().find(|(name, _)| name == step).map_or("", |(_, component)| component);
        lines.push(format!("{component:<22} {kind:<16} {}", artifact["digest"].as_str().expect("a digest")));
    }
    lines.sort();
    let mut table = String::new();
    for line in lines {
        writeln!(table, "{line}").expect("text can be written");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("pinned-components", table));
}
