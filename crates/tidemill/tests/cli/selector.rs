//! Several trainers in one pipeline.

use crate::support::Sandbox;

#[test]
fn the_best_of_several_models_is_judged_and_pushed_and_the_others_stay() {
    let sandbox = Sandbox::taxi(3_000);
    let text = sandbox.read("pipeline.yaml");
    let (head, tail) = text.split_once("  train:\n").expect("a trainer");
    let rest = &tail[tail.find("  evaluate:").expect("an evaluation")..];
    let pipeline = |trainers: &str, metric: &str| {
        format!(
            "{head}{trainers}  choose:\n    component: ModelSelector\n    inputs: {{ first: plain, second: boosted }}\n{metric}{rest}"
        )
    };
    let trainers = "  boosted: { component: Trainer, learner: { gradient_boosting: { rounds: 60 } }, validation: 0.2 }\n  \
                    plain: { component: Trainer, learner: linear, validation: 0.2 }\n";
    sandbox.write("pipeline.yaml", pipeline(trainers, ""));
    let run = sandbox.tidemill(&["run", "-v"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("`second` (gradient_boosting): validation log_loss 0."), "{run}");
    assert!(run.stderr.contains("the best of 2"), "{run}");
    let lineage = sandbox.tidemill(&["lineage", "taxi-tips"]);
    assert!(lineage.stdout.contains("by boosted Trainer"), "{lineage}");
    // The other model is in the store, with what was done with it.
    let models = sandbox.json(&["artifacts", "--type", "Model"]);
    let made_by = |step: &str| {
        let models = models.as_array().expect("a list").iter();
        let found = models.filter(|model| model["producer"]["step"] == step).collect::<Vec<_>>();
        found.first().map(|model| model["artifact"]["digest"].as_str().expect("a digest").to_owned())
    };
    let other = made_by("plain").unwrap_or_else(|| panic!("{models}"));
    let lineage = sandbox.tidemill(&["lineage", &other[..16], "--down"]);
    assert!(lineage.stdout.contains("read by choose ModelSelector"), "{lineage}");
    // By another metric, and with a model that has none.
    sandbox.write("pipeline.yaml", pipeline(trainers, "    metric: auc\n"));
    let run = sandbox.tidemill(&["run", "-v"]);
    assert!(run.code == 0 && run.stderr.contains("validation auc 0."), "{run}");
    sandbox.write("pipeline.yaml", pipeline(&trainers.replace("linear, validation: 0.2", "linear"), ""));
    let run = sandbox.tidemill(&["run"]);
    assert!(run.code == 2 && run.to_string().contains("was trained without validation rows"), "{run}");
    let alone = trainers.lines().next().expect("a trainer");
    sandbox.write("pipeline.yaml", pipeline(&format!("{alone}\n"), "").replace("first: plain, ", ""));
    let run = sandbox.tidemill(&["run"]);
    assert!(run.code == 2 && run.to_string().contains("there is only one model to choose from"), "{run}");
}
