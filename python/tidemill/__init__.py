"""A training job of Tidemill, as a Python script sees it.

    import tidemill
    job = tidemill.job()
    X, y = job.train.numpy()
    model = LGBMClassifier(**job.params).fit(X, y)
    job.save(model)

`tidemill run` starts the script (`learner: { command: { run: [python, train.py] } }`) and tells it by the environment variable
TIDEMILL_JOB where its data and parameters are: the contract `tidemill.job/1`. Nothing here needs installing; NumPy reads the
rows, and pandas, PyArrow or a converter to ONNX are needed only where they are used.
"""

import json
import os
import pathlib
import sys
import traceback

__all__ = ["Failure", "Job", "Rejected", "Split", "component", "job", "rows"]

FORMAT = "tidemill.job/1"
# Rows whose predictions are handed over, to be reproduced.
COMPARED_ROWS = 1000


class Failure(Exception):
    """The training cannot go on; the message is for the person who started it."""


class Rejected(Exception):
    """A component's verdict is no; the message says why."""


class Split:
    """The rows to learn from, or those that decide when to stop."""

    def __init__(self, job, name, entry):
        self._job, self.name, self._entry = job, name, entry
        self.rows = entry["rows"]
        self.files = [pathlib.Path(file) for file in entry["files"]]
        # The columns before the transform, with `data: raw` or `data: both`.
        self.raw_file = pathlib.Path(entry["raw"]) if entry.get("raw") else None
        self.folder = pathlib.Path(entry["folder"])

    def numpy(self):
        """The features as a matrix of 64-bit floats (NaN: missing), and the labels: numbers of classes, or amounts."""
        return self.features(), self.label()

    def features(self):
        import numpy

        if not self._entry.get("features"):
            raise Failure("the job has raw columns only: write `data: both` beside `run` for the features")
        return numpy.load(self._entry["features"], mmap_mode="c")

    def label(self):
        import numpy

        label = numpy.load(self._entry["label"])
        return label if self._job.task == "regression" else label.astype("int64")

    def weight(self):
        """What each row counts for, or None where all count the same."""
        import numpy

        return numpy.load(self._entry["weight"]) if self._entry.get("weight") else None

    def pandas(self):
        """The features as a DataFrame, categories as such, and the labels as a Series."""
        import pandas

        frame = pandas.DataFrame(self.features(), columns=self._job.features)
        for column in self._job.columns:
            if column["kind"] == "category":
                codes = frame[column["name"]]
                frame[column["name"]] = pandas.Categorical(codes, categories=range(column["cardinality"]))
        return frame, pandas.Series(self.label(), name="label")

    def raw(self):
        """The columns before the transform as a table of PyArrow, in the order of the labels."""
        import pyarrow.parquet

        if self.raw_file is None:
            raise Failure("the job has no raw columns: write `data: both` or `data: raw` beside `run`")
        return pyarrow.parquet.read_table(self.raw_file)

    def arrow(self):
        """All columns as a table of PyArrow, with `__label__` and perhaps `__weight__`."""
        import pyarrow.parquet

        if not self.files:
            raise Failure("the job has raw columns only: write `data: both` beside `run` for the features")
        return pyarrow.parquet.read_table(self.files[0])


class Job:
    """One training: what to do, with which data, and where the model goes."""

    def __init__(self, path):
        self._job = json.loads(pathlib.Path(path).read_text())
        if self._job.get("format") != FORMAT:
            raise Failure(f"the job is of the format {self._job.get('format')}, and this module speaks {FORMAT}")
        self._events = None
        task = self._job["task"]
        self.task, self.classes = task["kind"], task["classes"]
        self.params = self._job["parameters"]
        self.seed, self.threads = self._job["seed"], self._job["threads"]
        self.columns = self._job["columns"]
        self.features = [column["name"] for column in self.columns]
        self.categories = [column["name"] for column in self.columns if column["kind"] == "category"]
        splits = {name: Split(self, name, entry) for name, entry in self._job["splits"].items()}
        self.train, self.validation = splits["train"], splits.get("validation")
        self.out = pathlib.Path(self._job["outputs"]["model"])
        # A folder that an attempt finds again if the one before failed, and whether it did.
        self.checkpoints = pathlib.Path(self._job["outputs"]["checkpoints"])
        self.resumed = bool(self._job.get("resumed"))
        # The file of `warm_start`, or None.
        self.warm_start = pathlib.Path(self._job["warm_start"]) if self._job.get("warm_start") else None

    def progress(self, done, of=None):
        """How far the training is."""
        self._event(event="progress", done=int(done), of=None if of is None else int(of))

    def metric(self, name, value, step=None, split="validation"):
        """A metric, shown while the job runs and kept with the model."""
        value = float(value)
        # NaN and infinities are no numbers of JSON.
        value = value if value - value == 0 else str(value)
        self._event(event="metric", name=name, split=split, step=step, value=value)

    def note(self, text, level="info"):
        """A line for the person who started the job; the level `warn` is kept."""
        self._event(event="note", level=level, text=str(text))

    def fail(self, message):
        """Ends the job with a reason."""
        self._write({"failure": {"kind": "user", "message": str(message)}})
        sys.exit(1)

    def save(self, model, predictions=None, tolerance=None):
        """Hands over a model: of LightGBM, XGBoost, CatBoost, scikit-learn or PyTorch, or the path of a file of the formats
        ONNX, LightGBM or XGBoost with its `predictions` of the first training rows."""
        if isinstance(model, (str, os.PathLike)):
            if predictions is None:
                raise Failure("a model in a file needs `predictions`, what it predicts for the first rows of `job.train`")
            file = pathlib.Path(model)
            kind = {".onnx": "onnx", ".txt": "lightgbm", ".json": "xgboost"}.get(file.suffix)
            if kind is None:
                raise Failure(f"{file.name} ends with none of .onnx, .txt (LightGBM) and .json (XGBoost)")
            target = self.out / f"model{file.suffix}"
            if file.resolve() != target.resolve():
                target.write_bytes(file.read_bytes())
        else:
            library = _library(model)
            writer = _WRITERS.get(library)
            if writer is None:
                raise Failure(
                    f"models of {library} cannot be handed over as such: write an ONNX file and save its path with predictions"
                )
            X = self.train.features()[:COMPARED_ROWS]
            kind, target, predictions = writer(self, model, X, predictions)
        self._write(
            {
                "model": {"format": kind, "path": target.name},
                "predictions": {"split": "train", "values": _plain(predictions, self.task), "tolerance": tolerance},
                "environment": _environment(),
            }
        )
        self._event(event="done")

    def _write(self, result):
        # Complete or absent: the file appears under its name last of all.
        part = self.out / "result.json.part"
        part.write_text(json.dumps(result))
        part.replace(self._job["outputs"]["result"])

    def _event(self, **event):
        if self._events is None:
            self._events = open(os.environ.get("TIDEMILL_EVENTS", os.devnull), "a", buffering=1)
        self._events.write(json.dumps({key: value for key, value in event.items() if value is not None}) + "\n")


def job():
    """The job that this script was started for."""
    path = os.environ.get("TIDEMILL_JOB")
    if not path:
        raise Failure("TIDEMILL_JOB is not set: this script is started by `tidemill run`")
    current = Job(path)

    def report(kind, error, trace):
        traceback.print_exception(kind, error, trace)
        if not (current.out / "result.json").exists():
            where = traceback.extract_tb(trace)
            place = f" ({pathlib.Path(where[-1].filename).name}, line {where[-1].lineno})" if where else ""
            message = f"{error}" if isinstance(error, Failure) else f"{kind.__name__}: {error}{place}"
            current._write({"failure": {"kind": "user", "message": message}})

    sys.excepthook = report
    return current


# The row that `rows` gave last, for the message of an error.
_row = None
# Lines of an error of user code.
_TRACE_LINES = 20


def rows(path):
    """The rows of a CSV file as dictionaries. An error while a row is worked on names the row."""
    global _row
    import csv

    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            _row = (pathlib.Path(path).name, reader.line_num, row)
            yield row
    _row = None


def component(function):
    """Runs a function as a component of a pipeline: the last thing in the file.

        @tidemill.component
        def main(prices, summary, factor):
            ...

    Arguments are the inputs and outputs (folders, as `pathlib.Path`) and the parameters of the declaration, by name; an
    optional input that nothing provides is None. The function returns the properties of its output as a dictionary (of
    several outputs: a dictionary of dictionaries), a headline, or nothing. `raise tidemill.Rejected(reason)` is a verdict.
    """
    path = os.environ.get("TIDEMILL_JOB")
    if not path or function.__module__ != "__main__":
        return function
    job = json.loads(pathlib.Path(path).read_text())
    if job.get("format") != "tidemill.component/1":
        raise Failure(f"this job has the format {job.get('format')}: a component is started by a step that names it")
    values = dict(job["params"])
    values.update({key: pathlib.Path(entry["path"]) for key, entry in job["inputs"].items()})
    values.update({key: pathlib.Path(folder) for key, folder in job["outputs"].items()})
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    result = {}
    try:
        returned = function(**{name: values.get(name) for name in names})
        if isinstance(returned, str):
            result["headline"] = returned
        elif isinstance(returned, dict):
            nested = all(key in job["outputs"] and isinstance(value, dict) for key, value in returned.items())
            result["properties"] = returned if nested else {next(iter(job["outputs"])): returned}
    except Rejected as rejected:
        result["reject"] = [str(rejected)]
    except Exception as error:
        _fail(job, error)
    _hand_over(job, result)
    return function


def _fail(job, error):
    """Ends the program with the place of the error: file, line, and the row that was worked on."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    lines = "".join(traceback.format_list(frames[-5:]) + traceback.format_exception_only(type(error), error)).splitlines()
    print("\n".join(lines[-_TRACE_LINES:]), file=sys.stderr, flush=True)
    message = f"{error}" if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
    places = [f"{pathlib.Path(frames[-1].filename).name}, line {frames[-1].lineno}"] if frames else []
    if _row:
        name, number, row = _row
        text = json.dumps(row)
        places.append(f"{name}, line {number}: {text if len(text) <= 200 else text[:199] + '…'}")
    if places:
        message += f" ({'; '.join(places)})"
    _hand_over(job, {"failure": {"message": message}})
    sys.exit(1)


def _hand_over(job, result):
    # Complete or absent: the file appears under its name last of all.
    target = pathlib.Path(job["result"])
    part = target.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.replace(target)


def _library(model):
    names = {base.__module__.split(".")[0] for base in type(model).__mro__}
    for name in ("lightgbm", "xgboost", "catboost", "torch"):
        if name in names:
            return name
    return "sklearn" if "sklearn" in names else type(model).__module__.split(".")[0]


def _lightgbm(job, model, X, predictions):
    booster = getattr(model, "booster_", model)
    target = job.out / "model.txt"
    booster.save_model(target)
    return "lightgbm", target, booster.predict(X) if predictions is None else predictions


def _xgboost(job, model, X, predictions):
    import numpy
    import xgboost

    booster = model.get_booster() if hasattr(model, "get_booster") else model
    target = job.out / "model.json"
    booster.save_model(target)
    if predictions is None:
        names = booster.feature_names
        predictions = booster.predict(xgboost.DMatrix(numpy.asarray(X), feature_names=names))
    return "xgboost", target, predictions


def _catboost(job, model, X, predictions):
    if job.categories:
        raise Failure(f"CatBoost writes no ONNX for categories: {', '.join(job.categories)}; encode them in `Transform`")
    target = job.out / "model.onnx"
    model.save_model(str(target), format="onnx")
    if predictions is None:
        predictions = model.predict(X) if job.task == "regression" else model.predict_proba(X)
    return "onnx", target, predictions


def _sklearn(job, model, X, predictions):
    try:
        from skl2onnx import to_onnx
    except ImportError:
        raise Failure("scikit-learn models are handed over as ONNX: `pip install skl2onnx`") from None
    options = {} if job.task == "regression" else {"zipmap": False}
    # 32 bits are what the converter is exact for: scikit-learn's trees compare 32-bit numbers, too.
    converted = to_onnx(model, X[:1].astype("float32"), options={id(model): options} if options else None)
    target = job.out / "model.onnx"
    target.write_bytes(converted.SerializeToString())
    if predictions is None:
        predictions = model.predict(X) if job.task == "regression" else model.predict_proba(X)
    return "onnx", target, predictions


def _torch(job, model, X, predictions):
    import torch

    model.eval()
    sample = torch.as_tensor(X.astype("float32"))
    target = job.out / "model.onnx"
    names = {"input_names": ["features"], "output_names": ["predictions"]}
    torch.onnx.export(model, (sample[:2],), str(target), dynamic_axes={"features": {0: "rows"}, "predictions": {0: "rows"}}, **names)
    if predictions is None:
        with torch.no_grad():
            predictions = model(sample).numpy()
    return "onnx", target, predictions


_WRITERS = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost, "sklearn": _sklearn, "torch": _torch}


def _plain(predictions, task):
    """Predictions as lists: a number a row, or one for each class."""
    values = predictions.tolist() if hasattr(predictions, "tolist") else [list(row) if hasattr(row, "__len__") else row for row in predictions]
    values = values[:COMPARED_ROWS]
    if task != "multi_class":
        # The probability of yes, where no has one too; a column of one number is that number.
        values = [row[-1] if isinstance(row, list) else row for row in values]
    return values


def _environment():
    packages = {}
    for name in ("numpy", "pandas", "sklearn", "lightgbm", "xgboost", "catboost", "torch", "skl2onnx"):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "__version__"):
            packages[name] = str(module.__version__)
    return {"python": sys.version.split()[0], "packages": packages}
