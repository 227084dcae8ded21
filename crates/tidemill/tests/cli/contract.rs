//! `-o json`: standard output is exactly one JSON document, whatever the command does and however it ends.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Sandbox;

/// A request with every input of the taxi model.
const ROW: &str = r#"{"trip_miles": 2.1, "fare": 9.5, "trip_seconds": 540, "payment_type": "Credit Card",
    "trip_start_hour": 19, "trip_start_day": 6, "trip_start_month": 5, "pickup_latitude": 41.9, "pickup_longitude": -87.6,
    "dropoff_latitude": 41.9, "dropoff_longitude": -87.6, "company": "Flash Cab", "pickup_community_area": 8,
    "dropoff_community_area": 8}"#;

/// A command that works and one that does not, for every command. `serve` has its own test.
const COMMANDS: &[(&str, &[&[&str]], &[&[&str]])] = &[
    (
        "init",
        &[
            &["init", "taxi", "new", "--rows", "50"],
            &["init", "--data", "data/trips.csv", "--label", "tips", "own"],
            &["init", "--data", "data/trips.csv", "--label", "tips", "--no-trial", "quick"],
        ],
        &[&["init", "taxi", "."], &["init", "nothing"], &["init", "--data", "ragged.csv"]],
    ),
    (
        "explore",
        &[&["explore", "data/trips.csv"], &["explore", "data/trips.csv", "--label", "tips", "--html", "explored.html"]],
        &[&["explore", "ragged.csv"], &["explore", "data/trips.csv", "--label", "tip"]],
    ),
    ("check", &[&["check"]], &[&["check", "nowhere"]]),
    ("plan", &[&["plan"]], &[&["plan", "--no-cache=trian"], &["plan", "--param", "x"]]),
    ("run", &[&["run"]], &[&["run", "nowhere"], &["run", "--param", "rounds=many"], &["run", "--watch"]]),
    ("step", &[], &[&["step"]]),
    ("step run", &[], &[&["step", "run", "--run", "last", "--step", "train"]]),
    ("status", &[&["status"]], &[&["status", "ffffffff"]]),
    ("runs", &[&["runs"]], &[&["runs", "-n", "many"]]),
    ("artifacts", &[&["artifacts"], &["artifacts", "--type", "Model"]], &[&["artifacts", "--type", "Modle"]]),
    ("report", &[&["report", "--html", "page.html"]], &[&["report", "--type", "nothing"]]),
    ("models", &[&["models"], &["models", "taxi-tips"]], &[&["models", "unknown"]]),
    ("alias", &[&["alias", "taxi-tips", "canary", "1"]], &[&["alias", "taxi-tips", "canary", "99"]]),
    ("bless", &[&["bless"]], &[&["bless", "ffffffff"]]),
    ("reproduce", &[&["reproduce", "taxi-tips"]], &[&["reproduce", "no-such-model"]]),
    ("lineage", &[&["lineage", "taxi-tips"]], &[&["lineage", "unknown"]]),
    ("loadtest", &[], &[&["loadtest", "http://127.0.0.1:1/v1/models/x:predict"], &["loadtest", "nonsense://x"]]),
    (
        "predict",
        &[
            &["predict", "data/trips.csv"],
            &["predict", "data/trips.csv", "--out", "out.csv"],
            &["predict", "--row", ROW],
        ],
        &[&["predict", "ragged.csv"], &["predict", "--row", "fare"]],
    ),
    (
        "explain-prediction",
        &[&["explain-prediction"], &["explain-prediction", "data/trips.csv", "--at", "2", "--set", "fare=30"]],
        &[&["explain-prediction", "--set", "fair=30"], &["explain-prediction", "--row", "fare"]],
    ),
    (
        "transform",
        &[&["transform", "taxi-tips", "data/trips.csv", "--out", "features.parquet"]],
        &[&["transform", "taxi-tips", "ragged.csv", "--out", "features.parquet"]],
    ),
    (
        "history",
        &[&[
            "history",
            "sales.csv",
            "--entity",
            "store",
            "--time",
            "day",
            "--columns",
            "sales",
            "--length",
            "8w",
            "--out",
            "past.jsonl",
        ]],
        &[&["history", "sales.csv", "--time", "day", "--columns", "nothing", "--out", "past.jsonl"]],
    ),
    ("features", &[], &[&["features"]]),
    ("features add", &[&["features", "add", "features.yaml"]], &[&["features", "add", "ragged.csv"]]),
    ("features list", &[&["features", "list"]], &[&["features", "list", "more"]]),
    ("features show", &[&["features", "show", "features"]], &[&["features", "show", "unknown"]]),
    ("features diff", &[&["features", "diff", "features@1"]], &[&["features", "diff", "unknown"]]),
    (
        "evaluate",
        &[
            &["evaluate", "scored.csv", "--label", "y", "--prediction", "p"],
            &["evaluate", "scored.csv", "--label", "y", "--prediction", "p", "--threshold", "auc>=1.0"],
        ],
        &[&["evaluate", "scored.csv", "--label", "z", "--prediction", "p"]],
    ),
    ("model", &[], &[&["model"]]),
    ("model show", &[&["model", "show", "taxi-tips"]], &[&["model", "show", "unknown"]]),
    ("model warmup", &[&["model", "warmup", "taxi-tips", "--out", "warmup"]], &[&["model", "warmup", "taxi-tips"]]),
    (
        "model export",
        &[&["model", "export", "taxi-tips", "--out", "m.onnx", "--unseen-as-missing"]],
        &[&["model", "export", "unknown"]],
    ),
    ("stats", &[&["stats", "sales.csv"], &["stats", "odd.csv"]], &[&["stats", "ragged.csv"], &["stats"]]),
    (
        "infer-schema",
        &[&["infer-schema", "sales.csv"], &["infer-schema", "sales.csv", "--out", "s.yaml"]],
        &[&["infer-schema", "ragged.csv"]],
    ),
    (
        "validate",
        &[&["validate", "data/trips.csv"], &["validate", "sales.csv", "--schema", "schema.yaml"]],
        &[&["validate", "data/trips.csv", "--schema", "ragged.csv"]],
    ),
    ("drift", &[&["drift", "sales.csv", "sales.csv"]], &[&["drift", "sales.csv", "ragged.csv"]]),
    (
        "sql",
        &[&["sql", "SELECT * FROM odd", "odd.csv"], &["sql", "SELECT * FROM odd WHERE false", "odd.csv"]],
        &[
            &["sql", "SELECT nothing FROM odd", "odd.csv"],
            &["sql", "SELECT 1", "--csv"],
            // Fails behind the first rows.
            &["sql", "SELECT 1 / (day - 19000000) FROM sales", "sales.csv"],
        ],
    ),
    (
        "diff",
        &[&["diff", "sales.csv", "sales.csv", "--key", "day"]],
        &[&["diff", "sales.csv", "odd.csv", "--key", "no"]],
    ),
    ("sample", &[], &[&["sample"]]),
    (
        "sample taxi",
        &[&["sample", "taxi", "--rows", "10", "--out", "few.csv"]],
        &[&["sample", "taxi", "--out", "few.csv", "--plant", "nothing"]],
    ),
    ("schema", &[], &[&["schema"]]),
    ("store", &[], &[&["store"]]),
    ("store check", &[&["store", "check"]], &[&["store", "check", "more"]]),
    ("store backup", &[&["store", "backup", "copy"]], &[&["store", "backup", "data"]]),
    ("store restore", &[], &[&["store", "restore", "data"]]),
    ("store new", &[], &[&["store", "new", "more"]]),
    ("schema pipeline", &[&["schema", "pipeline"]], &[&["schema", "pipeline", "more"]]),
    ("schema schema", &[&["schema", "schema"]], &[&["schema", "schema", "more"]]),
    ("schema diff", &[&["schema", "diff", "schema.yaml", "schema.yaml"]], &[&["schema", "diff", "schema.yaml", "no"]]),
    ("schema update", &[], &[&["schema", "update", "data/trips.csv", "--accept", "nothing", "--dry-run"]]),
    (
        "schema convert",
        &[&["schema", "convert", "schema.yaml", "--out", "schema.pbtxt"]],
        &[&["schema", "convert", "ragged.csv", "--out", "x.pbtxt"]],
    ),
    ("explain", &[&["explain"], &["explain", "TM3002"]], &[&["explain", "TM0000"]]),
    ("completions", &[&["completions", "bash"]], &[&["completions", "fsh"]]),
    ("up", &[], &[&["up", "--hooks", "nonsense"], &["up", "--project", "nowhere"]]),
    ("schedules", &[&["schedules"]], &[&["schedules", "-n", "many"]]),
    ("schedules history", &[&["schedules", "history"]], &[&["schedules", "history", "-n", "many"]]),
    ("schedules pause", &[], &[&["schedules", "pause", "nothing"]]),
    ("schedules resume", &[], &[&["schedules", "resume", "nothing"]]),
    (
        "backfill",
        &[&["backfill", "rounds=5..6", "--dry-run"]],
        &[&["backfill", "rounds=9..1"], &["backfill", "x=1..2"]],
    ),
    ("retry", &[], &[&["retry", "ffffffff"]]),
    ("approvals", &[&["approvals"]], &[&["approvals", "-n", "many"]]),
    ("approvals list", &[&["approvals", "list", "--all"]], &[&["approvals", "list", "-n", "many"]]),
    ("approvals show", &[], &[&["approvals", "show", "ffffffff"]]),
    ("approvals approve", &[], &[&["approvals", "approve", "ffffffff"]]),
    ("approvals reject", &[], &[&["approvals", "reject", "ffffffff"]]),
    (
        "log",
        &[&["log", "--experiment", "notebook", "--metric", "loss=NaN"]],
        &[&["log"], &["log", "--run", "ffffffff"]],
    ),
    ("rollback", &[], &[&["rollback", "unknown"]]),
    ("gc", &[&["gc", "--dry-run"]], &[&["gc", "--older", "soon"]]),
    ("automl", &[], &[&["automl", "ragged.csv"], &["automl", "data/trips.csv", "--label", "tip"]]),
    ("trials", &[&["trials"]], &[&["trials", "ffffffff"]]),
    ("endpoint", &[], &[&["endpoint"]]),
    ("endpoint check", &[], &[&["endpoint", "check", "nowhere.yaml"]]),
    ("endpoint plan", &[], &[&["endpoint", "plan", "nowhere.yaml"]]),
    ("endpoint apply", &[], &[&["endpoint", "apply", "nowhere.yaml"]]),
    ("endpoint set", &[], &[&["endpoint", "set", "nothing"]]),
    ("endpoint approve", &[], &[&["endpoint", "approve", "nothing"]]),
    ("endpoint status", &[], &[&["endpoint", "status", "nothing"]]),
    ("endpoint history", &[], &[&["endpoint", "history", "nothing"]]),
    ("endpoint rollback", &[], &[&["endpoint", "rollback", "nothing"]]),
    ("endpoint remove", &[], &[&["endpoint", "remove", "nothing"]]),
    ("feedback", &[], &[&["feedback"]]),
    ("feedback add", &[], &[&["feedback", "add", "nowhere.jsonl"]]),
    ("feedback queue", &[], &[&["feedback", "queue"]]),
    ("feedback decide", &[], &[&["feedback", "decide", "nothing", "1"]]),
    ("feedback status", &[], &[&["feedback", "status"]]),
    ("inference-log", &[], &[&["inference-log"]]),
    ("inference-log status", &[], &[&["inference-log", "status", "nowhere"]]),
    ("inference-log import", &[], &[&["inference-log", "import", "ragged.csv"]]),
    ("inference-log compact", &[], &[&["inference-log", "compact", "nowhere"]]),
    ("inference-log prune", &[], &[&["inference-log", "prune", "nowhere", "--keep", "soon"]]),
    ("inference-log erase", &[], &[&["inference-log", "erase", "nowhere"]]),
    ("monitor", &[], &[&["monitor"]]),
    ("monitor init", &[&["monitor", "init", "taxi-tips"]], &[&["monitor", "init"]]),
    ("monitor check", &[&["monitor", "check"]], &[&["monitor", "check", "nowhere.yaml"]]),
    ("monitor run", &[], &[&["monitor", "run"]]),
    ("monitor status", &[], &[&["monitor", "status", "nowhere.yaml"]]),
    ("monitor replay", &[], &[&["monitor", "replay", "nowhere.yaml"]]),
    ("monitor explain", &[], &[&["monitor", "explain", "nothing"]]),
    ("monitor report", &[], &[&["monitor", "report", "nowhere.yaml"]]),
    ("monitor ack", &[], &[&["monitor", "ack", "nothing"]]),
    ("monitor silence", &[], &[&["monitor", "silence", "--kind", "nothing"]]),
    ("monitor test-receiver", &[], &[&["monitor", "test-receiver", "nobody"]]),
    ("monitor export", &[], &[&["monitor", "export"]]),
    ("model run", &[], &[&["model", "run", "unknown"]]),
    ("model bench", &[], &[&["model", "bench", "unknown"]]),
    ("model import", &[], &[&["model", "import", "ragged.csv", "--name", "x"]]),
    ("schema endpoint", &[&["schema", "endpoint"]], &[&["schema", "endpoint", "more"]]),
];

fn project() -> Sandbox {
    let sandbox = Sandbox::trained(600);
    sandbox.write("ragged.csv", "a,b\n1,2\n3\n");
    sandbox.write("odd.csv", "x,y\n1e300,a\n-5e-324,b\n,c\nnan,d\ninf,e\n-inf,f\n");
    let days = (0..40).map(|day| format!("s{},{},{}\n", day % 2, 19_000_000 + day, day * 7 % 11));
    sandbox.write("sales.csv", format!("store,day,sales\n{}", days.collect::<String>()));
    let scores = (0..40).map(|row| format!("{},{}\n", row % 2, f64::from(row * 13 % 40) / 40.0));
    sandbox.write("scored.csv", format!("y,p\n{}", scores.collect::<String>()));
    sandbox.write("features.yaml", "features:\n  fare: z_score\n");
    sandbox
}

#[test]
fn every_command_prints_one_document_whether_it_works_or_not() {
    let sandbox = project();
    let mut broken = Vec::new();
    for (_, works, fails) in COMMANDS {
        let cases = works.iter().map(|args| (true, args)).chain(fails.iter().map(|args| (false, args)));
        for (works, args) in cases {
            let transcript = sandbox.tidemill(&[*args, &["-o", "json"]].concat());
            let document: Result<Value, _> = serde_json::from_str(&transcript.stdout);
            let is_right = match &document {
                Err(_) => false,
                Ok(document) if works => document.get("error").is_none() && matches!(transcript.code, 0 | 1),
                Ok(document) => {
                    let error = &document["error"];
                    let of_step = document["steps"].as_array().is_some_and(|steps| !steps.is_empty());
                    let is_error = ["code", "title", "message"].iter().all(|key| error[*key].is_string());
                    (is_error || of_step) && transcript.code > 1
                }
            };
            if !is_right {
                broken.push(transcript.to_string());
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_command_is_left_out() {
    let script = Sandbox::empty().tidemill(&["completions", "bash"]).stdout;
    // Lines such as `tidemill__subcmd__schema,diff)` in the script.
    let known: BTreeSet<String> = script
        .lines()
        .filter_map(|line| line.trim().strip_suffix(')')?.split_once(','))
        .filter(|(before, _)| before.starts_with("tidemill"))
        .map(|(before, name)| {
            let before = before.replace("__subcmd__", " ");
            // A name of two words is written as two.
            let before = before.replace("inference log", "inference-log");
            format!("{before} {name}").trim_start_matches("tidemill").trim().to_owned()
        })
        .filter(|name| !name.split(' ').any(|word| word == "help") && name != "serve" && !name.is_empty())
        .collect();
    let tested: BTreeSet<String> = COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert!(known.len() > 30, "{known:?}");
    assert_eq!(known, tested);
}

#[test]
fn help_and_version_are_documents_too() {
    let sandbox = Sandbox::empty();
    assert!(sandbox.json(&["--help"])["help"].as_str().is_some_and(|help| help.contains("Examples")));
    assert!(sandbox.json(&["run", "--help"])["help"].as_str().is_some_and(|help| help.contains("--param")));
    assert!(sandbox.json(&["--version"])["version"].as_str().is_some_and(|version| version.contains('.')));
}

#[test]
fn an_error_in_a_file_names_its_places() {
    let sandbox = Sandbox::taxi(50);
    sandbox.edit("pipeline.yaml", "component: StatisticsGen", "component: StatistcsGen");
    let error = sandbox.json(&["check"])["error"].clone();
    let place = &error["where"][0];
    assert_eq!((&error["code"], &place["help"]), (&"TM1001".into(), &"did you mean `StatisticsGen`?".into()));
    assert!(place["line"].as_u64() > Some(5) && place["column"].as_u64() > Some(5), "{place}");
    assert!(place["file"].as_str().is_some_and(|file| file.ends_with("pipeline.yaml")), "{place}");
}

#[test]
fn numbers_that_are_not_finite_survive() {
    let sandbox = project();
    let query = "SELECT x FROM odd WHERE isnan(x) OR x > 1e299 OR x < -1e299 ORDER BY x";
    let rows = sandbox.json(&["sql", query, "odd.csv"]);
    let cells: Vec<&Value> = rows.as_array().into_iter().flatten().map(|row| &row["x"]).collect();
    assert_eq!(cells, [&Value::from("-Infinity"), &1e300.into(), &"Infinity".into(), &"NaN".into()]);
    let shown = sandbox.tidemill(&["stats", "odd.csv"]);
    assert!(shown.code == 0 && shown.stdout.lines().all(|line| line.chars().count() < 160), "{shown}");
}

#[test]
fn a_server_prints_one_document_and_errors_after_it_go_elsewhere() {
    let sandbox = Sandbox::trained(300);
    let mut server = crate::support::Server::start(&sandbox);
    server.terminate();
    let none = sandbox.tidemill(&["serve", "--model-base-path", "nowhere", "--rest-api-port", "-1", "-o", "json"]);
    assert_eq!(none.code, 2, "{none}");
    assert!(
        serde_json::from_str::<Value>(&none.stdout).is_ok_and(|error| error["error"]["code"] == "TM9003"),
        "{none}"
    );
}
