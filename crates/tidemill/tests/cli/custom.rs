//! Custom components: programs declared in files of the project.

use serde_json::Value;

use crate::support::Sandbox;

/// A component of fifteen lines that sums a column of a CSV file, and one in shell that reads its output.
fn project() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("prices.csv", "zone,price\nnorth,1.5\nsouth,2.5\n");
    sandbox.write(
        "components/PriceSum.yaml",
        "version: 1\nabout: Sums prices.\nrun: [python3, components/price_sum.py]\noutputs: { summary: PriceSummary }\n\
         params:\n  factor: { type: number, default: 1, minimum: 0 }\n  file: { type: string }\n\
         code: [components/price_sum.py, prices.csv]\n",
    );
    sandbox.write(
        "components/price_sum.py",
        "import json\nimport tidemill\n\n\n@tidemill.component\ndef main(summary, file, factor):\n    total = 0\n    \
         for row in tidemill.rows(file):\n        total += float(row['price']) * factor\n    \
         (summary / 'sum.json').write_text(json.dumps(total))\n    \
         if total > 1000:\n        raise tidemill.Rejected(f'{total} is too much')\n    return {'total': total}\n",
    );
    sandbox.write(
        "components/Report.yaml",
        "version: 1\nabout: Writes a report.\nrun: [sh, components/report.sh]\ninputs: { summary: PriceSummary }\noutputs: { report: Page }\n",
    );
    sandbox.write(
        "components/report.sh",
        "cat \"$TIDEMILL_INPUT_SUMMARY/sum.json\" > \"$TIDEMILL_OUTPUT_REPORT/report.txt\"\n",
    );
    sandbox.write(
        "pipeline.yaml",
        "version: 1\npipeline: prices\nparams: { factor: 2 }\nsteps:\n  \
         sum: { component: PriceSum, file: prices.csv, factor: \"${params.factor}\" }\n  \
         report: { component: Report }\n  clean: { component: Report, cleanup: true, if: \"sum.total > 0\" }\n",
    );
    sandbox
}

fn states(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap_or_else(|| panic!("{report}"));
    steps.iter().map(|step| step["state"].as_str().expect("a state")).collect()
}

#[test]
fn a_program_takes_part_in_a_pipeline() {
    let sandbox = project();
    let report = sandbox.json(&["run"]);
    assert_eq!((&report["state"], states(&report)), (&Value::from("COMPLETE"), vec!["COMPLETE", "COMPLETE", "CACHED"]));
    let summary = sandbox.json(&["artifacts", "--type", "PriceSummary"]);
    assert_eq!(summary[0]["artifact"]["properties"]["total"], 8.0);
    assert_eq!(states(&sandbox.json(&["run"])), ["CACHED"; 3]);
    // Another file changes nothing, the code does.
    sandbox.write("notes.txt", "x");
    assert_eq!(states(&sandbox.json(&["run"])), ["CACHED"; 3]);
    let plan = {
        sandbox.edit("components/price_sum.py", "total = 0", "total = 0.5");
        sandbox.tidemill(&["plan"])
    };
    assert!(plan.stdout.contains("`components/price_sum.py` has changed"), "{plan}");
    assert_eq!(states(&sandbox.json(&["run"])), ["COMPLETE", "COMPLETE", "CACHED"]);
    let lineage = sandbox.tidemill(&[
        "lineage",
        sandbox.json(&["artifacts", "--type", "Page"])[0]["artifact"]["digest"].as_str().expect("a digest"),
    ]);
    assert!(lineage.stdout.contains("by report") && lineage.stdout.contains("components/price_sum.py"), "{lineage}");
    let rejected = sandbox.tidemill(&["run", "--param", "factor=1000"]);
    assert!(rejected.code == 1 && rejected.stdout.contains("4000.5 is too much"), "{rejected}");
}

#[test]
fn mistakes_point_at_the_declaration_the_step_and_the_row() {
    let sandbox = project();
    sandbox.write("prices.csv", "zone,price\nnorth,1.5\nsouth,many\n");
    let failed = sandbox.tidemill(&["run"]);
    assert_eq!(failed.code, 2, "{failed}");
    for part in [
        "could not convert string to float: 'many'",
        "price_sum.py, line 9",
        "prices.csv, line 3",
        "\"zone\": \"south\"",
    ] {
        assert!(failed.stdout.contains(part), "{part}: {failed}");
    }
    assert!(failed.stdout.lines().count() <= 30, "{failed}");
    sandbox.edit("pipeline.yaml", "file: prices.csv, factor: \"${params.factor}\"", "factor: -1, fil: x");
    let check = sandbox.tidemill(&["check"]);
    for part in ["did you mean `file`?", "-1 is below 0", "needs the parameter `file`"] {
        assert!(check.code == 2 && check.stderr.contains(part), "{part}: {check}");
    }
    sandbox.edit("components/Report.yaml", "outputs: { report: Page }", "outputs: { report: page }\nouputs: {}");
    let check = sandbox.tidemill(&["check"]);
    assert!(check.code == 2 && check.stderr.contains("`page` is not an artifact type"), "{check}");
    sandbox.edit("components/Report.yaml", "outputs: { report: page }\nouputs: {}", "outputs: { report: Page }");
    sandbox.edit("pipeline.yaml", "factor: -1, fil: x", "file: prices.csv");
    sandbox.write("prices.csv", "zone,price\nnorth,1.5\n");
    sandbox.write("components/report.sh", "true\n");
    let empty = sandbox.tidemill(&["run"]);
    assert!(empty.code == 2 && empty.stdout.contains("wrote nothing to its output `report`"), "{empty}");
    sandbox.write("components/Pusher.yaml", sandbox.read("components/Report.yaml"));
    let taken = sandbox.tidemill(&["check"]);
    assert!(taken.code == 2 && taken.stderr.contains("which is built in"), "{taken}");
}

#[test]
fn a_stopped_component_takes_its_children_with_it() {
    let sandbox = project();
    sandbox.write("components/report.sh", "sh -c 'sleep 300 & echo $! > grandchild; wait'\n");
    sandbox
        .write("components/Report.yaml", sandbox.read("components/Report.yaml") + "timeout_secs: 1\ngrace_secs: 1\n");
    let failed = sandbox.tidemill(&["run"]);
    assert!(failed.code == 2 && failed.stdout.contains("ran for more than 1 s"), "{failed}");
    let id = sandbox.read("grandchild");
    let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    assert!(state.as_ref().map_or(true, |stat| stat.contains(") Z ")), "{state:?}");
}
