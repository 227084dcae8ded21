"""Small ONNX models of scikit-learn, LightGBM and XGBoost, with what onnxruntime says of them; see make_torch.py for PyTorch.

    pip install scikit-learn skl2onnx onnxmltools lightgbm xgboost-cpu onnxruntime pandas
    python make.py

writes the models beside this script and `expected.json`: for each model its inputs as columns (null is NaN) and the
outputs of onnxruntime. `tests/it/onnx.rs` compares.
"""

import json
import math
import warnings
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pandas
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import TensorProto, helper
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
                                   OrdinalEncoder, PolynomialFeatures, StandardScaler)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent
random = numpy.random.default_rng(3)
X = random.normal(size=(160, 4)).astype(numpy.float32)
SIGNAL = X[:, 0] + X[:, 1] * X[:, 2] + random.normal(size=160) * 0.2
BINARY = (SIGNAL > 0).astype(numpy.int64)
CLASSES = numpy.digitize(SIGNAL, [-0.7, 0.7])
NAMES = numpy.array(["low", "mid", "high"])[CLASSES]
expected = {}


def cell(value):
    if isinstance(value, (str, bool, int)):
        return value
    value = float(value)
    return None if math.isnan(value) else value


def table(value):
    """Rows of an output; a list of maps gives its values in the order of the keys."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [[cell(v) for v in row.values()] for row in value]
    array = numpy.asarray(value)
    array = array.reshape(array.shape[0], -1)
    return [[cell(v.item() if hasattr(v, "item") else v) for v in row] for row in array]


def record(name, model, feeds):
    path = HERE / f"{name}.onnx"
    model = model if isinstance(model, onnx.ModelProto) else onnx.load_model_from_string(model.SerializeToString())
    model.doc_string = ""
    path.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, feeds)
    expected[name] = {
        "inputs": {key: table(value) for key, value in feeds.items()},
        "outputs": {node.name: table(value) for node, value in zip(session.get_outputs(), outputs)},
    }


def edges(x, missing=False):
    rows = x[:20].copy()
    rows[0] = 0.0
    rows[1] = 1e30
    rows[2] = -1e30
    if missing:
        rows[3:8, 1] = numpy.nan
        rows[8] = numpy.nan
    return rows


def sk(name, model, y, x=X, rows=None, **options):
    model.fit(x, y)
    converted = to_onnx(model, x[:1], target_opset={"": 18, "ai.onnx.ml": 3}, **options)
    record(name, converted, {"X": edges(x) if rows is None else rows})


plain = {"options": {"zipmap": False}}
sk("logistic", make_pipeline(StandardScaler(), LogisticRegression()), BINARY, rows=X[:20])
sk("logistic_three", LogisticRegression(), NAMES, rows=X[:20], **plain)
sk("linear", make_pipeline(MinMaxScaler(), LinearRegression()), SIGNAL, rows=X[:20])
sk("forest", RandomForestClassifier(6, max_depth=4, random_state=1), BINARY, **plain)
sk("forest_three", RandomForestClassifier(5, max_depth=4, random_state=1), NAMES)
sk("tree", DecisionTreeClassifier(max_depth=4), CLASSES, **plain)
sk("boosted", GradientBoostingRegressor(n_estimators=10, max_depth=3, random_state=1), SIGNAL)
sk("svc", SVC(probability=True, random_state=1), NAMES, rows=X[:20], **plain)
sk("svr", make_pipeline(StandardScaler(), SVR()), SIGNAL, rows=X[:20])
sk("mlp", make_pipeline(MaxAbsScaler(), MLPClassifier((8,), max_iter=300, random_state=1)), CLASSES, rows=X[:20], **plain)
sk("normalised", make_pipeline(Normalizer(), PolynomialFeatures(2), LinearRegression()), SIGNAL, rows=X[:20])
sk("binned", make_pipeline(KBinsDiscretizer(4, encode="onehot-dense", quantile_method="averaged_inverted_cdf"), LinearRegression()), SIGNAL, rows=X[:20])
missing = X.copy()
missing[random.random(X.shape) < 0.1] = numpy.nan
sk("imputed", make_pipeline(SimpleImputer(strategy="median", add_indicator=False), LogisticRegression()), BINARY,
   x=missing, rows=edges(missing, True)[3:], **plain)

# Columns of their own with texts, as from a data frame.
frame = pandas.DataFrame({
    "age": X[:, 0], "fare": X[:, 1],
    "city": numpy.array(["Bern", "Basel", "Zürich", ""])[random.integers(0, 4, 160)],
    "floor": random.integers(0, 5, 160),
})
columns = make_pipeline(ColumnTransformer([
    ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "fare"]),
    ("texts", OneHotEncoder(handle_unknown="ignore"), ["city"]),
    ("codes", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["floor"]),
]), LogisticRegression())
columns.fit(frame, BINARY)
types = [("age", FloatTensorType([None, 1])), ("fare", FloatTensorType([None, 1])),
         ("city", StringTensorType([None, 1])), ("floor", Int64TensorType([None, 1]))]
converted = to_onnx(columns, initial_types=types, target_opset={"": 18, "ai.onnx.ml": 3})
cities = numpy.array(["Bern", "Basel", "Zürich", "", "unseen", "bern"] * 3, dtype=object)[:16]
feeds = {"age": X[:16, :1], "fare": X[:16, 1:2], "city": cities.reshape(-1, 1),
         "floor": random.integers(0, 7, (16, 1)).astype(numpy.int64)}
feeds["age"][3] = numpy.nan
record("columns", converted, feeds)

tools = [("input", ToolsFloat([None, 4]))]
light = {"n_estimators": 6, "num_leaves": 6, "min_child_samples": 5, "verbose": -1, "random_state": 1}
record("lightgbm_binary", convert_lightgbm(LGBMClassifier(**light).fit(X, BINARY), initial_types=tools,
                                           target_opset=15), {"input": edges(X)})
record("lightgbm_three", convert_lightgbm(LGBMClassifier(**light).fit(X, CLASSES), initial_types=tools, zipmap=False,
                                          target_opset=15), {"input": edges(X)})
record("lightgbm_value", convert_lightgbm(LGBMRegressor(**light).fit(missing, SIGNAL), initial_types=tools,
                                          target_opset=15), {"input": edges(missing, True)})
trees = {"n_estimators": 6, "max_depth": 3, "random_state": 1}
record("xgboost_binary", convert_xgboost(XGBClassifier(**trees).fit(missing, BINARY), initial_types=tools,
                                         target_opset=15), {"input": edges(missing, True)})
record("xgboost_three", convert_xgboost(XGBClassifier(**trees).fit(X, CLASSES), initial_types=tools, target_opset=15),
       {"input": edges(X)})
record("xgboost_value", convert_xgboost(XGBRegressor(**trees).fit(X, SIGNAL), initial_types=tools, target_opset=15),
       {"input": edges(X)})

# What exporters of networks write, by hand: a convolution, which only tract runs here.
weights = [helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 3, 3], random.normal(size=18).astype(numpy.float32)),
           helper.make_tensor("b", TensorProto.FLOAT, [2], [0.1, -0.1]),
           helper.make_tensor("v", TensorProto.FLOAT, [3, 8], random.normal(size=24).astype(numpy.float32)),
           helper.make_tensor("c", TensorProto.FLOAT, [3], [0.0, 0.2, -0.2])]
nodes = [helper.make_node("Conv", ["image", "w", "b"], ["h"], kernel_shape=[3, 3]),
         helper.make_node("Relu", ["h"], ["r"]),
         helper.make_node("Flatten", ["r"], ["f"]),
         helper.make_node("Gemm", ["f", "v", "c"], ["logits"], transB=1),
         helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)]
graph = helper.make_graph(nodes, "convolution", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 4, 4])],
                          [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
record("convolution", model, {"image": random.normal(size=(5, 1, 4, 4)).astype(numpy.float32)})

# The models of make_torch.py and make_more.py keep what was recorded.
before = json.loads((HERE / "expected.json").read_text()) if (HERE / "expected.json").exists() else {}
expected.update({name: recorded for name, recorded in before.items() if name.startswith(("torch", "text", "trees"))})
(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
