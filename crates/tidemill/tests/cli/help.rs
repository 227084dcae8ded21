//! Help, completions, the catalogue of errors.

use crate::support::{Sandbox, golden};

#[test]
fn help_is_golden() {
    let sandbox = Sandbox::empty();
    golden("help", sandbox.tidemill(&["--help"]));
    for command in ["init", "run", "plan", "serve", "predict", "stats", "lineage"] {
        golden(&format!("help-{command}"), sandbox.tidemill(&[command, "--help"]));
    }
}

#[test]
fn a_code_is_explained_and_a_wrong_one_is_answered_with_the_nearest() {
    let sandbox = Sandbox::empty();
    golden("explain", sandbox.tidemill(&["explain", "TM2005"]));
    golden("explain-unknown", sandbox.tidemill(&["explain", "TM2055"]));
    let all = sandbox.json(&["explain"]);
    assert!(all.as_array().is_some_and(|codes| codes.len() > 40));
}

#[test]
fn completions_and_schemas_are_printed() {
    let sandbox = Sandbox::empty();
    assert!(sandbox.tidemill(&["completions", "bash"]).stdout.contains("_tidemill"));
    let schema = sandbox.json(&["schema", "pipeline"]);
    let components = schema["properties"]["steps"]["additionalProperties"]["oneOf"].as_array().map(Vec::len);
    assert_eq!(components, Some(14));
    // Every reference leads somewhere: definitions of different components do not shadow each other.
    let text = schema.to_string();
    for reference in text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schema["$defs"].get(reference).is_some(), "{reference}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    assert_eq!(Sandbox::empty().tidemill(&["rnu"]).code, 2);
    assert_eq!(Sandbox::empty().json(&["run", "--bogus"])["error"]["code"], "TM9003");
}
