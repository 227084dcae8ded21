//! Help: commands in groups, an example or more for each, and answers to commands of other tools.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The groups of commands in `tidemill --help`, in reading order.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Pipelines",
        &[
            "init",
            "explore",
            "automl",
            "check",
            "plan",
            "run",
            "up",
            "schedules",
            "retry",
            "backfill",
            "approvals",
            "status",
            "report",
            "runs",
            "trials",
            "log",
            "artifacts",
            "store",
            "gc",
            "step",
            "features",
        ],
    ),
    (
        "Models",
        &[
            "models",
            "predict",
            "explain-prediction",
            "serve",
            "endpoint",
            "alias",
            "rollback",
            "bless",
            "lineage",
            "reproduce",
            "model",
            "loadtest",
        ],
    ),
    ("Monitoring", &["monitor", "feedback", "inference-log"]),
    (
        "Any file, without a project",
        &[
            "stats",
            "infer-schema",
            "validate",
            "drift",
            "schema",
            "diff",
            "sql",
            "evaluate",
            "transform",
            "history",
            "sample",
        ],
    ),
    ("Help", &["explain", "completions", "help"]),
];

/// Examples by command; those of subcommands by both words.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "init",
        &[
            "tidemill init --data customers.csv --label churned",
            "tidemill init --data rides.parquet my-project",
            "tidemill init taxi",
        ],
    ),
    (
        "explore",
        &["tidemill explore customers.csv", "tidemill explore customers.csv --label churned --html customers.html"],
    ),
    (
        "automl",
        &[
            "tidemill automl customers.csv --label churned --budget 5m",
            "tidemill automl rides.parquet --label tip --metric mae --time pickup --out rides",
            "tidemill automl claims.csv --label fraud --max-latency 2ms",
            "tidemill automl patients.csv --label sick --explain-only",
        ],
    ),
    ("check", &["tidemill check", "tidemill check examples/taxi"]),
    ("plan", &["tidemill plan", "tidemill plan --param learning_rate=0.05"]),
    (
        "run",
        &[
            "tidemill run",
            "tidemill run --param rounds=20",
            "tidemill run --no-cache=train",
            "tidemill run --from train",
            "tidemill run --watch --every 5m",
        ],
    ),
    ("up", &["tidemill up", "tidemill up --hooks 127.0.0.1:8510", "tidemill up --no-serve"]),
    ("schedules", &["tidemill schedules", "tidemill schedules history", "tidemill schedules pause nightly"]),
    ("schedules history", &["tidemill schedules history", "tidemill schedules history nightly -n 100"]),
    ("schedules pause", &["tidemill schedules pause nightly"]),
    ("schedules resume", &["tidemill schedules resume nightly"]),
    ("retry", &["tidemill retry", "tidemill retry 01a2b3c4"]),
    ("approvals", &["tidemill approvals", "tidemill approvals approve 01a2b3c4 --reason 'better on weekends'"]),
    ("approvals list", &["tidemill approvals list", "tidemill approvals list --all"]),
    ("approvals show", &["tidemill approvals show 01a2b3c4"]),
    ("approvals approve", &["tidemill approvals approve 01a2b3c4 --reason 'better on weekends'"]),
    ("approvals reject", &["tidemill approvals reject 01a2b3c4 --reason 'worse for new riders'"]),
    ("backfill", &["tidemill backfill span=1..30 --parallel 2", "tidemill backfill day=2026-01-01..2026-01-31"]),
    ("step", &["tidemill step run --run 01a2b3c4 --step train"]),
    ("step run", &["tidemill step run --run 01a2b3c4 --step train"]),
    ("status", &["tidemill status", "tidemill status 01a2b3c4"]),
    ("gc", &["tidemill gc --dry-run", "tidemill gc --older 30d --keep-versions 10"]),
    ("store", &["tidemill store check", "tidemill store backup ../backup"]),
    ("store check", &["tidemill store check", "tidemill store check --repair"]),
    ("store backup", &["tidemill store backup ../backup"]),
    ("store restore", &["tidemill store restore ../backup"]),
    ("store new", &["tidemill store new"]),
    (
        "runs",
        &[
            "tidemill runs",
            "tidemill runs --filter \"metrics.auc > 0.9 and params.rounds = '300'\" --order-by 'metrics.auc DESC'",
        ],
    ),
    (
        "log",
        &[
            "tidemill log --experiment notebook --param lr=0.1 --metric auc=0.93",
            "tidemill log --run last --tag owner=ann",
        ],
    ),
    ("artifacts", &["tidemill artifacts --run last", "tidemill artifacts --type Model", "tidemill artifacts 5b0c91d2"]),
    ("report", &["tidemill report", "tidemill report --type statistics --html data.html"]),
    (
        "trials",
        &[
            "tidemill trials",
            "tidemill trials last --learner gradient_boosting",
            "tidemill trials last --state failed -o json",
            "tidemill trials last --optuna study.db",
        ],
    ),
    ("models", &["tidemill models", "tidemill models taxi-tips"]),
    ("alias", &["tidemill alias taxi-tips champion 3", "tidemill alias taxi-tips canary latest"]),
    (
        "monitor",
        &["tidemill monitor init taxi-tips", "tidemill monitor run", "tidemill monitor replay --html history.html"],
    ),
    ("monitor init", &["tidemill monitor init taxi-tips --log log"]),
    ("monitor check", &["tidemill monitor check", "tidemill monitor check monitors/taxi.yaml"]),
    (
        "monitor run",
        &["tidemill monitor run", "tidemill monitor run --once", "tidemill monitor run --metrics tidemill.prom"],
    ),
    ("monitor status", &["tidemill monitor status", "tidemill monitor status --prometheus"]),
    ("monitor replay", &["tidemill monitor replay", "tidemill monitor replay --log old-log --html history.html"]),
    ("monitor explain", &["tidemill monitor explain drift", "tidemill monitor explain 5b0c91d2 --rows 20"]),
    ("monitor report", &["tidemill monitor report --html monitor.html --from 2026-03-01"]),
    ("monitor ack", &["tidemill monitor ack drift --note 'new fares since Monday'"]),
    ("monitor silence", &["tidemill monitor silence --kind drift --for 2d --reason 'new fares'"]),
    ("monitor test-receiver", &["tidemill monitor test-receiver team"]),
    ("monitor export", &["tidemill monitor export --out data/live.parquet --from 2026-03-01"]),
    ("feedback", &["tidemill feedback add labels.jsonl", "tidemill feedback queue"]),
    ("feedback add", &["tidemill feedback add labels.jsonl --log log"]),
    ("feedback queue", &["tidemill feedback queue -n 50"]),
    ("feedback decide", &["tidemill feedback decide 0197a1b2 1 --by ana"]),
    ("feedback status", &["tidemill feedback status"]),
    ("inference-log", &["tidemill inference-log status log", "tidemill inference-log compact log"]),
    (
        "inference-log status",
        &["tidemill inference-log status log", "tidemill inference-log status log --model taxi-tips"],
    ),
    (
        "inference-log import",
        &[
            "tidemill inference-log import march.parquet --model taxi-tips --from 2026-03-01 --for 31d --feedback-after 2d",
        ],
    ),
    ("inference-log compact", &["tidemill inference-log compact log", "tidemill inference-log compact log --hold 0s"]),
    ("inference-log prune", &["tidemill inference-log prune log --keep 90d --dry-run"]),
    ("inference-log erase", &["tidemill inference-log erase log --column rider_id --value r-4711 --hash-key key"]),
    ("rollback", &["tidemill rollback taxi-tips", "tidemill rollback taxi-tips --reason 'complaints'"]),
    ("reproduce", &["tidemill reproduce taxi-tips@champion"]),
    (
        "bless",
        &["tidemill bless --force --reason 'the drop is in test accounts'", "tidemill bless last --alias canary"],
    ),
    (
        "lineage",
        &[
            "tidemill lineage taxi-tips",
            "tidemill lineage taxi-tips@champion",
            "tidemill lineage 5b0c91d2 --down",
            "tidemill lineage last --openlineage events.jsonl",
        ],
    ),
    (
        "serve",
        &[
            "tidemill serve",
            "tidemill serve --model-base-path models/fares --model-name fares",
            "tidemill serve --rest-api-host 0.0.0.0 --api-keys keys.txt",
            "tidemill serve endpoint.yaml",
        ],
    ),
    ("endpoint", &["tidemill endpoint check endpoint.yaml", "tidemill endpoint apply endpoint.yaml"]),
    ("endpoint check", &["tidemill endpoint check endpoint.yaml"]),
    ("endpoint plan", &["tidemill endpoint plan endpoint.yaml"]),
    ("endpoint apply", &["tidemill endpoint apply endpoint.yaml --reason 'challenger to 25 %'"]),
    ("endpoint status", &["tidemill endpoint status", "tidemill endpoint status taxi --url http://localhost:8501"]),
    ("endpoint history", &["tidemill endpoint history taxi"]),
    ("endpoint rollback", &["tidemill endpoint rollback taxi", "tidemill endpoint rollback taxi --to 3"]),
    (
        "endpoint set",
        &[
            "tidemill endpoint set taxi models.challenger.off=true",
            "tidemill endpoint set taxi models.champion.threshold=0.6",
        ],
    ),
    ("endpoint approve", &["tidemill endpoint approve taxi 100"]),
    ("endpoint remove", &["tidemill endpoint remove taxi"]),
    (
        "loadtest",
        &[
            "tidemill loadtest http://localhost:8501 --rate 500",
            "tidemill loadtest http://localhost:8501 --find-capacity --p99 10ms",
        ],
    ),
    (
        "predict",
        &[
            "tidemill predict trips.csv --out scored.parquet",
            "tidemill predict taxi-tips@champion --row '{\"fare\": 12.5}'",
        ],
    ),
    ("transform", &["tidemill transform taxi-tips trips.csv --out features.parquet"]),
    (
        "history",
        &["tidemill history sales.csv --entity store,item --time date --columns sales --length 8w --out past.jsonl"],
    ),
    ("features", &["tidemill features add features.yaml", "tidemill features list"]),
    ("features add", &["tidemill features add features.yaml --name taxi_features"]),
    ("features list", &["tidemill features list"]),
    ("features show", &["tidemill features show taxi_features@2"]),
    ("features diff", &["tidemill features diff taxi_features@1 taxi_features@2"]),
    (
        "explain-prediction",
        &[
            "tidemill explain-prediction trips.csv --at 3",
            "tidemill explain-prediction --row '{\"fare\": 12.5, \"trip_miles\": 3}' --set fare=30",
        ],
    ),
    (
        "evaluate",
        &[
            "tidemill evaluate scored.csv --label tipped --prediction score",
            "tidemill evaluate scored.csv --label tipped --prediction score --threshold 'auc>=0.9'",
        ],
    ),
    ("model", &["tidemill model show taxi-tips", "tidemill model export taxi-tips --out tips.onnx"]),
    (
        "model run",
        &[
            "tidemill model run network.onnx --input 'X=[[1, 2]]'",
            "tidemill model run network.onnx --inputs @inputs.json",
        ],
    ),
    ("model bench", &["tidemill model bench network.onnx"]),
    ("model import", &["tidemill model import network.onnx --name network"]),
    ("model show", &["tidemill model show taxi-tips@champion", "tidemill model show model.onnx"]),
    ("model warmup", &["tidemill model warmup models/fares/3 --rows trips.csv"]),
    (
        "model export",
        &["tidemill model export taxi-tips --out tips.onnx", "tidemill model export taxi-tips --format lightgbm"],
    ),
    ("stats", &["tidemill stats trips.csv", "tidemill stats january.csv february.csv --html report.html"]),
    ("infer-schema", &["tidemill infer-schema trips.csv --out schema.yaml"]),
    ("validate", &["tidemill validate trips.csv --schema schema.yaml --show-rows"]),
    (
        "drift",
        &[
            "tidemill drift january.csv february.csv",
            "tidemill drift train.csv served.jsonl --skew --schema schema.yaml",
        ],
    ),
    ("sql", &["tidemill sql 'SELECT company, avg(fare) FROM trips GROUP BY company' trips=trips.csv"]),
    ("diff", &["tidemill diff before.csv after.csv --key id", "tidemill diff 01a2b3c4 last"]),
    ("sample", &["tidemill sample taxi --out trips.csv"]),
    ("sample taxi", &["tidemill sample taxi --rows 100000 --out trips.parquet"]),
    ("schema", &["tidemill schema diff old.yaml new.yaml", "tidemill schema update trips.csv --accept all"]),
    ("schema pipeline", &["tidemill schema pipeline > pipeline.schema.json"]),
    ("schema endpoint", &["tidemill schema endpoint > endpoint.schema.json"]),
    ("schema schema", &["tidemill schema schema > schema.schema.json"]),
    ("schema diff", &["tidemill schema diff old.yaml new.yaml"]),
    ("schema update", &["tidemill schema update trips.csv --accept FEATURE_TYPE_LOW_FRACTION_PRESENT:fare --dry-run"]),
    ("schema convert", &["tidemill schema convert schema.yaml --out schema.pbtxt"]),
    ("explain", &["tidemill explain TM3002", "tidemill explain"]),
    ("completions", &["tidemill completions bash > tidemill.bash"]),
];

/// The command line with its commands in groups and with examples.
pub fn arranged(command: Command) -> Command {
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}{}\n{{options}}\n\n{}\n  tidemill init --data customers.csv && cd customers && tidemill run\n  tidemill stats trips.csv\n\n`tidemill help COMMAND` shows the flags and examples of a command.",
        groups(&command),
        heading("Options"),
        heading("Examples"),
    );
    with_examples(command.help_template(template), "")
}

fn heading(text: &str) -> String {
    format!("\u{1b}[1m\u{1b}[4m{text}:\u{1b}[0m")
}

fn groups(command: &Command) -> String {
    let about = |name: &str| match name {
        "help" => "Show the help of a command".to_owned(),
        _ => command
            .find_subcommand(name)
            .and_then(|found| found.get_about())
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let group = |(title, names): &(&str, &[&str])| {
        let lines = names.iter().map(|name| format!("  \u{1b}[1m{name:<20}\u{1b}[0m{}\n", about(name)));
        format!("{}\n{}\n", heading(title), lines.collect::<String>())
    };
    GROUPS.iter().map(group).collect()
}

fn with_examples(command: Command, path: &str) -> Command {
    let command = match examples(path) {
        [] => command,
        lines => {
            let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
            command.after_help(format!("{}\n{}", heading("Examples"), lines.join("\n")))
        }
    };
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(name, |sub| with_examples(sub, &path))
    })
}

fn examples(path: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(name, _)| *name == path).map_or(&[], |(_, lines)| lines)
}

/// Words of other tools, and what Tidemill has for them.
const OTHER_WORDS: &[(&[&str], &str)] = &[
    (
        &["train", "fit"],
        "`tidemill run` trains as a step of the pipeline; `tidemill run --no-cache=train` trains again",
    ),
    (&["ls", "list"], "`tidemill models`, `tidemill runs` and `tidemill artifacts` list what there is"),
    (
        &["deploy", "push", "publish"],
        "a `Pusher` step registers the model; `tidemill serve` serves it, `tidemill alias` chooses the version",
    ),
    (&["promote"], "`tidemill alias MODEL champion VERSION` moves an alias to a version"),
    (&["new", "create"], "`tidemill init --data FILE` creates a project for your data"),
    (&["start"], "`tidemill run` runs the pipeline, `tidemill serve` starts the model server"),
    (&["test"], "`tidemill check` checks the pipeline file, `tidemill evaluate` evaluates predictions"),
    (&["register"], "a `Pusher` step registers the model; `tidemill bless` registers one that was rejected"),
    (
        &["profile", "describe"],
        "`tidemill explore FILE` shows what is unusual, `tidemill stats FILE` shows the statistics of a file",
    ),
    (&["query"], "`tidemill sql QUERY NAME=FILE` runs a query over files"),
    (&["logs"], "`tidemill status` shows the last run, `-v` adds a log"),
];

/// Advice for a command line that cannot be read, if there is better advice than the nearest name.
pub fn advice(error: &clap::Error) -> Option<String> {
    let context = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand)?;
            OTHER_WORDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, answer)| (*answer).to_owned())
        }
        ErrorKind::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg)?;
            let name = flag.strip_prefix("--")?.split(['=', ' ']).next()?;
            // Flags that take parameters of the pipeline file.
            let of_pipeline =
                std::env::args().nth(1).is_some_and(|command| ["run", "plan", "check"].contains(&&*command));
            let near = error.get(ContextKind::SuggestedArg).is_some();
            let parameter = name.replace('-', "_");
            (of_pipeline && !near)
                .then(|| format!("a parameter of the pipeline file is changed with `--param {parameter}=VALUE`"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    fn paths(command: &Command, prefix: &str) -> Vec<String> {
        let of = |sub: &Command| {
            let path =
                if prefix.is_empty() { sub.get_name().to_owned() } else { format!("{prefix} {}", sub.get_name()) };
            let below = paths(sub, &path);
            std::iter::once(path).chain(below).collect::<Vec<_>>()
        };
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).flat_map(of).collect()
    }

    /// The words of a line, as a shell splits it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for c in line.chars() {
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                // What follows is a file of the shell.
                ('>', None) => break,
                (' ', None) => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_is_in_a_group_and_has_examples_that_can_be_read() {
        let command = Cli::command();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for sub in command.get_subcommands() {
            assert!(grouped.contains(&sub.get_name()), "`{}` is in no group", sub.get_name());
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!((8..=62).contains(&about.chars().count()), "`{}`: {about}", sub.get_name());
        }
        let paths = paths(&command, "");
        for path in &paths {
            assert!(!examples(path).is_empty(), "`{path}` has no example");
        }
        for (path, lines) in EXAMPLES {
            assert!(paths.iter().any(|known| known == path), "`{path}` is no command");
            for line in *lines {
                let read = Cli::try_parse_from(words(line));
                assert!(read.is_ok(), "{line}: {}", read.err().map(|error| error.to_string()).unwrap_or_default());
                assert!(line.starts_with(&format!("tidemill {path}")), "{line} is no example of `{path}`");
            }
        }
    }
}
