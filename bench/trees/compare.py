"""Tidemill's tree executor beside LightGBM's own predictor and ONNX Runtime: the same trees, one thread each, in one run.

    python compare.py --ours target/release/examples/trees_bench

Trains 500 trees of depth 6 on 30 features with LightGBM, gives the same trees to all three, checks that they say the same, and
prints the time of a row alone and of a row in a batch of 10,000. See README.md for how to set it up.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import lightgbm
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, save

HERE = pathlib.Path(__file__).parent
FEATURES = 30


def rows(count, seed):
    """Numbers that 32 bits hold, so that ONNX Runtime sees the same ones; some are missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, FEATURES)).astype(np.float32).astype(np.float64)
    x[:, 8][rng.random(count) < 0.2] = np.nan
    x[:, 9][x[:, 0] > 1.5] = np.nan
    return x


def train(folder, trees, depth):
    x = rows(200_000, 1)
    f = np.nan_to_num(x)
    y = f[:, 0] + f[:, 1] * (f[:, 2] > 0) + np.sin(2 * f[:, 3]) + f[:, 10] * f[:, 11] + 0.3 * f[:, 12:].sum(axis=1)
    y += np.random.default_rng(2).normal(size=len(y))
    params = {
        "objective": "regression", "num_leaves": 2**depth, "max_depth": depth, "min_data_in_leaf": 5, "learning_rate": 0.05,
        "feature_fraction": 0.6, "verbosity": -1, "seed": 3, "num_threads": 2,
    }
    model = lightgbm.train(params, lightgbm.Dataset(x, y), trees)
    model.save_model(folder / "model.txt")
    return [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]


def nodes_of(tree):
    """The nodes of a tree, children after their parent; a split has the numbers of its children."""
    queue, nodes = [tree], []
    for node in queue:
        if "leaf_value" in node:
            nodes.append((None, node["leaf_value"], False, 0, 0))
            continue
        # With a decision that takes nothing as missing, NaN counts as zero.
        missing_left = node["default_left"] if node["missing_type"] == "NaN" else 0.0 <= node["threshold"]
        nodes.append((node["split_feature"], node["threshold"], missing_left, len(queue), len(queue) + 1))
        queue += [node["left_child"], node["right_child"]]
    return nodes


def write_learner(path, trees):
    """As crates/tidemill-model/src/trees/encoding.rs describes."""
    flat = [node for tree in trees for node in tree]
    leaf = 0xFFFFFFFF
    parts = [b"TMTREES\0", struct.pack("<6Id", 1, 1, FEATURES, len(trees), len(flat), 0, 0.0)]
    parts.append(np.array([len(tree) for tree in trees], "<u4").tobytes())
    parts.append(np.array([leaf if node[0] is None else node[0] for node in flat], "<u4").tobytes())
    parts.append(np.array([node[2] for node in flat], "<u1").tobytes())
    parts.append(np.array([node[3] for node in flat], "<u4").tobytes())
    parts.append(np.array([node[4] for node in flat], "<u4").tobytes())
    parts.append(np.array([node[1] for node in flat], "<f8").tobytes())
    path.write_bytes(b"".join(parts))


def below(threshold):
    """The largest number of 32 bits that is not above the threshold: every such number takes the same side."""
    limits = np.finfo(np.float32)
    near = np.float32(min(max(threshold, limits.min), limits.max))
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def write_onnx(path, trees):
    lists = {name: [] for name in "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()}
    leaves = {name: [] for name in "treeids nodeids ids weights".split()}
    for number, tree in enumerate(trees):
        for at, (feature, value, missing_left, left, right) in enumerate(tree):
            if feature is None:
                row = (number, at, 0, "LEAF", 0.0, 0, 0, 0)
                for values, cell in zip(leaves.values(), (number, at, 0, value)):
                    values.append(cell)
            else:
                row = (number, at, feature, "BRANCH_LEQ", below(value), left, right, int(missing_left))
            for values, cell in zip(lists.values(), row):
                values.append(cell)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, post_transform="NONE",
        **{f"nodes_{name}": values for name, values in lists.items()},
        **{f"target_{name}": values for name, values in leaves.items()},
    )
    write_graph(path, [node])


def write_graph(path, nodes):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph(nodes, "bench", [x], [y]), opset_imports=imports)
    model.ir_version = 8
    save(model, path)


def onnx_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def bound(session, x):
    """A call without copies: input and output stand where they are."""
    y = np.zeros((len(x), session.run(None, {"x": x[:1]})[0].shape[1]), np.float32)
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    return binding, y


def fastest(call, repeat, times):
    """Nanoseconds of the fastest of `times` rounds of `repeat` calls, each."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter_ns()
        for _ in range(repeat):
            call()
        best = min(best, (time.perf_counter_ns() - started) / repeat)
    return best


def onnx_times(folder, x):
    session, empty = onnx_session(folder / "model.onnx"), onnx_session(folder / "empty.onnx")
    batch, y = bound(session, x)
    batch_ns = fastest(lambda: session.run_with_iobinding(batch), 3, 3) / len(x)
    one = x[:1].copy()
    single, _ = bound(session, one)
    nothing, _ = bound(empty, one)

    def each():
        for row in x[:1000]:
            one[0] = row
            session.run_with_iobinding(single)

    def each_empty():
        for row in x[:1000]:
            one[0] = row
            empty.run_with_iobinding(nothing)

    each_ns, empty_ns = fastest(each, 1, 5) / 1000, fastest(each_empty, 1, 5) / 1000
    return {"single_ns": each_ns - empty_ns, "batch_ns": batch_ns, "call_ns": empty_ns}, y[:, 0].astype(np.float64)


def lightgbm_harness(folder):
    library = next((pathlib.Path(lightgbm.__file__).parent).rglob("lib_lightgbm.so"))
    program = folder / "lightgbm_bench"
    subprocess.run(
        ["cc", "-O2", str(HERE / "lightgbm.c"), "-o", str(program), str(library), f"-Wl,-rpath,{library.parent}"], check=True
    )
    return program


def run(program, folder):
    return json.loads(subprocess.run([str(program), str(folder)], check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default="target/release/examples/trees_bench", help="the built example")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        trees = [nodes_of(tree) for tree in train(folder, args.trees, args.depth)]
        write_learner(folder / "learner.bin", trees)
        write_onnx(folder / "model.onnx", trees)
        write_graph(folder / "empty.onnx", [helper.make_node("Identity", ["x"], ["y"])])
        x = rows(args.rows, 4)
        x.tofile(folder / "rows.f64")
        np.ascontiguousarray(x.T).tofile(folder / "columns.f64")
        x32 = np.ascontiguousarray(x.astype(np.float32))
        harness = lightgbm_harness(folder)
        best = {}
        for _ in range(args.rounds):
            theirs, onnx = onnx_times(folder, x32)
            found = {"tidemill": run(args.ours, folder), "LightGBM": run(harness, folder), "ONNX Runtime": theirs}
            for name, times in found.items():
                kept = best.setdefault(name, times)
                best[name] = {key: min(kept[key], value) for key, value in times.items()}
        ours, light = (np.fromfile(folder / name) for name in ("ours.f64", "lightgbm.f64"))
        largest = np.abs(light).max()
        assert np.abs(ours - light).max() <= 1e-12 * largest, np.abs(ours - light).max()
        assert np.abs(ours - onnx).max() <= 1e-5 * largest, np.abs(ours - onnx).max()
    leaves = sum(len(tree) // 2 + 1 for tree in trees) / len(trees)
    print(f"{len(trees)} trees of {leaves:.1f} leaves on average, LightGBM {lightgbm.__version__}, ONNX Runtime {onnxruntime.__version__}")
    print(f"same answers: to {np.abs(ours - light).max() / largest:.0e} of LightGBM's, to {np.abs(ours - onnx).max() / largest:.0e} of ONNX Runtime's (32 bits)")
    print(f"{'':14}{'one row, µs':>14}{'times ours':>12}{f'of {args.rows:,}, µs':>16}{'times ours':>12}")
    mine = best["tidemill"]
    for name, times in best.items():
        single, batch = times["single_ns"], times["batch_ns"]
        print(f"{name:14}{single / 1000:14.2f}{single / mine['single_ns']:12.1f}{batch / 1000:16.3f}{batch / mine['batch_ns']:12.1f}")
    print(f"ONNX Runtime's row alone is without {best['ONNX Runtime']['call_ns'] / 1000:.1f} µs that a call of an empty graph takes")


if __name__ == "__main__":
    sys.exit(main())
