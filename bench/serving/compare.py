"""The model server beside an empty handler, Triton (Python backend) and FastAPI + ONNX Runtime, in one run.

    pip install fastapi uvicorn onnx onnxruntime nvidia-pytriton 'numpy<2'
    cargo build --release -p tidemill && cargo build --release -p tidemill-serving -p tidemill-loadtest --examples
    python bench/serving/compare.py [--release target/release] [--tidemill BINARY] [--seconds 4] [--only tidemill,empty]

500 trees of depth 6 on 30 features, the same in every server (an ONNX file for the peers). The steady figure is CPU time of
the server, user and system, over requests; the load generator takes its share of the cores and is not counted. What every
server answers for 64 rows, over every protocol, is compared. `--out FILE` keeps every figure as JSON.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.error
import urllib.request

FEATURES, TREES, DEPTH = 30, 500, 6
HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1
# A server that does not answer rightly for so many seconds is left out.
PATIENCE = 60


def uniform(index):
    """As in crates/tidemill-serving/examples/bench_package.rs."""
    mixed = ((index + 1) * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / float(1 << 53)


def onnx_model(path):
    """The trees of bench_package as an ONNX ensemble: one matrix in, a probability out."""
    from onnx import TensorProto, helper, save

    nodes = {name: [] for name in "treeids nodeids featureids modes values truenodeids falsenodeids".split()}
    targets = {name: [] for name in "treeids nodeids ids weights".split()}
    splits = (1 << DEPTH) - 1
    for tree in range(TREES):
        for at in range(2 * splits + 1):
            chance = uniform(tree * 1000 + at)
            leaf = at >= splits
            row = (tree, at, 0 if leaf else int(chance * FEATURES), "LEAF" if leaf else "BRANCH_LEQ")
            row += (0.0 if leaf else uniform(tree * 1000 + 500 + at), 0 if leaf else 2 * at + 1, 0 if leaf else 2 * at + 2)
            for values, value in zip(nodes.values(), row):
                values.append(value)
            if leaf:
                for values, value in zip(targets.values(), (tree, at, 0, (chance - 0.5) / 10.0)):
                    values.append(value)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["score"], domain="ai.onnx.ml", n_targets=1, post_transform="NONE",
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"target_{name}": values for name, values in targets.items()},
    )
    graph = helper.make_graph(
        [ensemble, helper.make_node("Sigmoid", ["score"], ["probability"])],
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)])
    model.ir_version = 8
    save(model, path)


FASTAPI = """
import numpy as np, onnxruntime as ort
from fastapi import FastAPI, Request
options = ort.SessionOptions(); options.intra_op_num_threads = 1
session = ort.InferenceSession("model.onnx", options, providers=["CPUExecutionProvider"])
app = FastAPI()
@app.post("/predict")
async def predict(request: Request):
    rows = (await request.json())["instances"]
    x = np.array([list(row.values()) for row in rows], dtype=np.float32)
    return {"predictions": session.run(None, {"x": x})[0][:, 0].tolist()}
"""

TRITON_MODEL = """
import os, sys
# The stub runs the interpreter without its virtual environment, whose packages must come before those of the machine.
sys.path[:0] = SITE
import numpy as np, onnxruntime as ort, triton_python_backend_utils as pb
# The stub reads numpy's C structures as they were before 2.0; with a newer numpy every item seems 0 bytes wide.
if not np.__version__.startswith("1."):
    raise RuntimeError(f"numpy {np.__version__} from {np.__file__}: the Python backend needs numpy<2")
class TritonPythonModel:
    def initialize(self, args):
        options = ort.SessionOptions(); options.intra_op_num_threads = 1
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            answers.append(pb.InferenceResponse([pb.Tensor("probability", self.session.run(None, {"x": x})[0])]))
        return answers
"""

TRITON_CONFIG = f"""
name: "bench"
backend: "python"
max_batch_size: 0
input [ {{ name: "x" data_type: TYPE_FP32 dims: [ -1, {FEATURES} ] }} ]
output [ {{ name: "probability" data_type: TYPE_FP32 dims: [ -1, 1 ] }} ]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
"""


def tree(pid):
    """The process and everything it started."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(stat[1]), []).append(int(entry))
    found, open_ = [], [pid]
    while open_:
        pid = open_.pop()
        found.append(pid)
        open_.extend(children.get(pid, []))
    return found


def cpu_seconds(pid):
    total = 0
    for one in tree(pid):
        try:
            stat = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(stat[11]) + int(stat[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    total = 0
    for one in tree(pid):
        try:
            status = pathlib.Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total / 1024


class Server:
    """A server process that is waited for until it answers rightly, and how long that took."""

    def __init__(self, command, cwd, url, body, env=None):
        started = time.monotonic()
        log = open(pathlib.Path(cwd) / "server.log", "wb")
        self.process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        said = ""
        while True:
            if self.process.poll() is not None:
                lines = (pathlib.Path(cwd) / "server.log").read_text(errors="replace").splitlines()
                told = [line for line in lines if "rror" in line] or lines
                raise RuntimeError("\n".join(told[-10:]))
            if time.monotonic() - started > PATIENCE:
                self.stop()
                raise RuntimeError(f"no right answer within {PATIENCE} s: {said}")
            try:
                request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    self.first = answer.read()
                    break
            except urllib.error.HTTPError as error:
                said = error.read(300).decode(errors="replace")
                time.sleep(0.002)
            except OSError as error:
                said = str(error)
                time.sleep(0.002)
        self.cold_start = time.monotonic() - started

    def stop(self):
        started = reversed(tree(self.process.pid))
        # Asked first: Triton's shared memory stays in /dev/shm otherwise.
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        for pid in started:
            try:
                os.kill(pid, 9)
            except OSError:
                pass
        self.process.wait()


def post(url, body):
    """What a server answers to a JSON body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def reload(work, binary, ours, body, measure, predict):
    """Latency at a quiet rate, and the same while a second model gets a new version twice a second."""
    base = work / "two"
    for name in ("bench", "other"):
        shutil.copytree(work / "tidemill/1", base / name / "1")
    config = "".join(f"config {{ name: '{name}' base_path: '{base / name}' }} " for name in ("bench", "other"))
    (work / "models.config").write_text(f"model_config_list {{ {config} }}")
    command = [binary, "serve", "--model_config_file", work / "models.config", "--file_system_poll_wait_seconds", "0.1"]
    server = Server([*command, *ours], work, f"{predict}/v1/models/bench:predict", body)
    measure("Tidemill, 2,000 requests a second", server, predict, 1, rate=2000)
    done = threading.Event()

    def push():
        version = 2
        while not done.wait(0.5):
            staged = base / f"staged-{version}"
            shutil.copytree(work / "tidemill/1", staged)
            staged.rename(base / "other" / str(version))
            shutil.rmtree(base / "other" / str(version - 1), ignore_errors=True)
            version += 1

    pushing = threading.Thread(target=push)
    pushing.start()
    measure("… while a second model reloads", server, predict, 1, rate=2000)
    done.set()
    pushing.join()
    server.stop()


def fastapi(args, work, rows, body, measure, answers):
    (work / "app.py").write_text(FASTAPI)
    command = [args.python, "-m", "uvicorn", "app:app", "--port", "8811", "--log-level", "warning"]
    server = Server(command, work, "http://127.0.0.1:8811/predict", body)
    answers["FastAPI"] = post("http://127.0.0.1:8811/predict", {"instances": rows})["predictions"]
    measure("FastAPI + ONNX Runtime", server, "http://127.0.0.1:8811/predict", 1)
    measure("FastAPI + ONNX Runtime", server, "http://127.0.0.1:8811/predict", 32)
    server.stop()


def triton(args, work, rows, body, measure, answers):
    import numpy
    import pytriton
    import tritonclient.grpc

    home = pathlib.Path(pytriton.__file__).parent / "tritonserver"
    version = work / "triton/bench/1"
    version.mkdir(parents=True)
    site = [path for path in sys.path if path.endswith("site-packages")]
    (version / "model.py").write_text(TRITON_MODEL.replace("SITE", repr(site)))
    shutil.copy(work / "model.onnx", version)
    (version.parent / "config.pbtxt").write_text(TRITON_CONFIG)
    interpreter = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(home / "backends", work / "backends")
    shutil.copy(home / "python_backend_stubs" / interpreter / "triton_python_backend_stub", work / "backends/python")
    command = [home / "bin/tritonserver", f"--model-repository={work}/triton", f"--backend-directory={work}/backends",
               "--http-port=8821", "--grpc-port=8820", "--allow-metrics=false"]
    matrix = [list(row.values()) for row in rows]
    ask = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, FEATURES], "data": matrix[:1]}]}
    libraries = sysconfig.get_config_var("LIBDIR")
    env = {"LD_LIBRARY_PATH": f"{home.parent.parent}/nvidia_pytriton.libs:{home}/external_libs:{home}/lib:{libraries}"}
    infer = "http://127.0.0.1:8821/v2/models/bench/infer"
    server = Server(command, work, infer, json.dumps(ask).encode(), env)
    ask["inputs"][0].update(shape=[len(matrix), FEATURES], data=matrix)
    answers["Triton, REST"] = post(infer, ask)["outputs"][0]["data"]
    tensor = tritonclient.grpc.InferInput("x", [len(matrix), FEATURES], "FP32")
    tensor.set_data_from_numpy(numpy.array(matrix, dtype=numpy.float32))
    client = tritonclient.grpc.InferenceServerClient("127.0.0.1:8820")
    answers["Triton, gRPC"] = client.infer("bench", [tensor]).as_numpy("probability")[:, 0].tolist()
    client.close()
    for rows_each in (1, 32):
        measure("Triton (Python backend), REST", server, "http://127.0.0.1:8821", rows_each, "oip", given=None)
        measure("Triton (Python backend), gRPC", server, "grpc://127.0.0.1:8820", rows_each, given=None)
    server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--release", type=pathlib.Path, default=HERE / "../../target/release")
    parser.add_argument("--tidemill", type=pathlib.Path, help="another binary, such as that of the small build")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="empty,tidemill,log,checks,reload,fastapi,triton")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file for every figure")
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    examples = args.release.resolve() / "examples"
    binary = (args.tidemill or args.release / "tidemill").resolve()
    only = args.only.split(",")
    work = pathlib.Path(tempfile.mkdtemp(prefix="serving-bench-"))
    row = subprocess.run([examples / "bench_package", work / "tidemill"], check=True, capture_output=True).stdout
    subprocess.run([examples / "bench_package", work / "checked", "checked"], check=True, capture_output=True)
    names = list(json.loads(row)["instances"][0])
    rows = [{name: uniform(7 * number + at) for at, name in enumerate(names)} for number in range(64)]
    (work / "rows.json").write_text(json.dumps(rows))
    (work / "matrix.json").write_text(json.dumps([{"x": list(row.values())} for row in rows]))
    results, answers = [], {}

    def measure(name, server, url, rows_each, protocol="", rate="max", given="rows"):
        command = [examples / "load", url, "bench", str(rate), str(args.seconds), "64", str(rows_each), protocol]
        env = {**os.environ, **({"ROWS_FILE": str(work / f"{given}.json")} if given else {})}
        before = cpu_seconds(server.process.pid)
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        spent = cpu_seconds(server.process.pid) - before
        if done.returncode:
            print(f"{name}: {done.stderr.strip()}", file=sys.stderr)
            return None
        found = json.loads(done.stdout)
        # The warm-up of a second is part of what the server did.
        whole = found["ok"] * (found["seconds"] + 1.0) / found["seconds"]
        result = {
            "server": name, "rows": rows_each, "cpu_us": 1e6 * spent / max(whole, 1), "rate": found["rate"],
            "p50_ms": found["latency"]["p50_ms"], "p99_ms": found["latency"]["p99_ms"], "failed": found["failed"],
            "rss_mib": resident_mib(server.process.pid), "cold_start_ms": 1e3 * server.cold_start,
        }
        results.append(result)
        print(
            f"{name:34} {rows_each:3} rows  {result['cpu_us']:7.1f} µs CPU/request  {result['rate']:9.0f} req/s  "
            f"p50 {result['p50_ms']:6.2f} ms  p99 {result['p99_ms']:6.2f} ms  {result['rss_mib']:6.1f} MiB  "
            f"first answer {result['cold_start_ms']:6.0f} ms  {result['failed']} failed", flush=True)
        return result

    body = json.dumps({"instances": [dict(zip(names, rows[0].values()))]}).encode()
    if "empty" in only:
        server = Server([examples / "empty_handler", "8791", "8790"], work, "http://127.0.0.1:8791/score", body)
        measure("empty handler, HTTP/1.1", server, "http://127.0.0.1:8791/score", 1)
        measure("empty handler, gRPC", server, "grpc://127.0.0.1:8790", 1)
        server.stop()
    ours = ["--rest_api_port", "8801", "--port", "8800", "-q"]
    predict, grpc = "http://127.0.0.1:8801", "grpc://127.0.0.1:8800"
    plain = [binary, "serve", "--model_name", "bench", "--model_base_path"]
    for name, title, command in (
        ("tidemill", "Tidemill", [*plain, work / "tidemill"]),
        ("log", "Tidemill, logging every request", [*plain, work / "tidemill", "--log", work / "log"]),
        ("checks", "Tidemill, checking every input", [*plain, work / "checked"]),
    ):
        if name not in only:
            continue
        server = Server([*command, *ours], work, f"{predict}/v1/models/bench:predict", body)
        answers[title] = post(f"{predict}/v1/models/bench:predict", {"instances": rows})["predictions"]
        rest = measure(f"{title}, REST", server, predict, 1)
        measure(f"{title}, gRPC", server, grpc, 1)
        if name == "tidemill":
            measure(f"{title}, gRPC, one matrix", server, grpc, 1, given="matrix")
            measure(f"{title}, Open Inference REST", server, predict, 1, "oip")
            measure(f"{title}, REST", server, predict, 32)
            measure(f"{title}, gRPC", server, grpc, 32)
            measure(f"{title}, gRPC, one matrix", server, grpc, 32, given="matrix")
            if rest:
                half = int(rest["rate"] / 2)
                measure(f"{title}, REST at half the rate", server, predict, 1, rate=half)
        server.stop()
    if "reload" in only:
        reload(work, binary, ours, body, measure, predict)
    if {"fastapi", "triton"} & set(only):
        onnx_model(str(work / "model.onnx"))
    for name, peer in (("fastapi", fastapi), ("triton", triton)):
        if name not in only:
            continue
        try:
            peer(args, work, rows, body, measure, answers)
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} did not run: {error}", file=sys.stderr)
    # The peers compute with 32 bits.
    apart = [max(values) - min(values) for values in zip(*answers.values(), strict=True)]
    if max(apart, default=0) > 1e-5:
        sys.exit(f"the servers disagree by {max(apart)} in row {apart.index(max(apart))}: {answers}")
    if apart:
        print(f"{len(apart)} rows, at most {max(apart):.1e} apart: {'; '.join(answers)}")
    if args.out:
        args.out.write_text(json.dumps(results, indent=2))
    shutil.rmtree(work, ignore_errors=True)


main()
