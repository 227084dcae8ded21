//! The living example: half a year of a served model on a simulated clock.

use std::process::Command;

use crate::support::Sandbox;

#[test]
fn the_loop_finds_tells_retrains_and_rolls_back() {
    let sandbox = Sandbox::empty();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/living-taxi/run");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_tidemill")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.args([root, "world"]).env("PATH", path);
    let done = sandbox.run(command, &["living-taxi/run"]);
    assert_eq!(done.code, 0, "{done}");
    let month = |name: &str| -> String {
        let from = done.stdout.find(&format!("-- {name}")).unwrap_or_else(|| panic!("{done}"));
        let rest = &done.stdout[from..];
        rest[..rest[3..].find("-- ").map_or(rest.len(), |end| end + 3)].to_owned()
    };
    assert!(!month("January").contains('✗') && !month("February").contains('✗'), "{done}");
    let march = month("March");
    assert!(
        march.contains("drift (") && march.contains("fare") && march.contains("registered taxi-tips version 2"),
        "{done}"
    );
    let april = month("April");
    assert!(april.contains("volume (") && april.contains("suspicious_labels") && april.contains("mallory"), "{done}");
    let may = month("May");
    assert!(may.contains("concept_drift (") && may.contains("taxi-tips@champion 2 → 1"), "{done}");
    assert!(sandbox.read("world/told.jsonl").contains("TidemillConceptDrift"));
    assert!(sandbox.read("world/living-taxi.html").contains("<svg"));
    // What Mallory says is no training data.
    let export = sandbox.json(&[
        "monitor",
        "export",
        "world",
        "--out",
        "april.parquet",
        "--from",
        "2026-04-18",
        "--project",
        "world",
    ]);
    assert_eq!(export["provenance"]["left_out"], 100, "{export}");
    // The cause of the second version is on record.
    let models = sandbox.json(&["models", "taxi-tips", "--project", "world"]);
    assert!(
        models["model"]["versions"][1]["tags"]["cause"].as_str().is_some_and(|cause| cause.contains("alert drift")),
        "{models}"
    );
}
