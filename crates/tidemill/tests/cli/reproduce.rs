//! Models made again from their lineage.

use serde_json::Value;

use crate::support::Sandbox;

#[test]
fn a_model_of_a_built_in_learner_is_made_again_byte_by_byte() {
    let sandbox = Sandbox::trained(3_000);
    let made = sandbox.tidemill(&["reproduce", "taxi-tips"]);
    assert_eq!(made.code, 0, "{made}");
    assert!(made.stdout.contains("taxi-tips version 1: step `train`"), "{made}");
    assert!(made.stdout.contains("made the same package again, every byte"), "{made}");
    // The pipeline file may change: what is recorded counts.
    sandbox.edit("pipeline.yaml", "early_stopping: 20", "early_stopping: 3");
    assert_eq!(sandbox.tidemill(&["reproduce", "taxi-tips@champion"]).code, 0);
    assert_eq!(sandbox.tidemill(&["reproduce", "nothing"]).code, 2);
}

/// A model that is another one each time is told apart, with what differs.
#[cfg(unix)]
#[test]
fn a_model_of_a_program_that_is_random_is_told_apart() {
    let sandbox = Sandbox::taxi(3_000);
    let text = sandbox.read("pipeline.yaml");
    let (head, tail) = text.split_once("    learner:").expect("a learner");
    let rest = &tail[tail.find("  evaluate:").expect("an evaluation")..];
    let rest = rest.replace("auc: { at_least: 0.9, no_worse_than_baseline_by: 0.005 }", "auc: { at_least: 0.1 }");
    sandbox.write("pipeline.yaml", format!("{head}    learner: {{ command: {{ run: [sh, train.sh] }} }}\n{rest}"));
    let script = r#"set -e
value="0.$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')1"
names=$(sed -n 's/.*"name": "\(.*\)".*/\1/p' "$TIDEMILL_JOB" | paste -sd' ' -)
count=$(echo "$names" | wc -w)
infos=$(yes '[0:1]' | head -n "$count" | paste -sd' ' -)
printf 'tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%s\nobjective=regression\nfeature_names=%s\nfeature_infos=%s\ntree_sizes=120\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=%s\nis_linear=0\nshrinkage=1\n\n\nend of trees\n' \
  $((count - 1)) "$names" "$infos" "$value" > "$TIDEMILL_OUT/model.txt"
values=$(yes "$value" | head -n 100 | paste -sd, -)
echo "{\"model\": {\"format\": \"lightgbm\", \"path\": \"model.txt\"}, \"predictions\": {\"values\": [$values]}}" > "$TIDEMILL_OUT/result.json"
"#;
    sandbox.write("train.sh", script);
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    let made = sandbox.tidemill(&["reproduce", "taxi-tips", "-o", "json"]);
    assert_eq!(made.code, 1, "{made}");
    let made: Value = serde_json::from_str(&made.stdout).expect("one document");
    assert_eq!(made["identical"], false);
    let different = made["different"].as_array().expect("a list");
    assert!(different.iter().any(|file| file == "learner.txt"), "{made}");
    assert!(made["reasons"][0].as_str().expect("a reason").contains("training command"), "{made}");
}
