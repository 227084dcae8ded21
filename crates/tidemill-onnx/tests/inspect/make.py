"""The models of `tests/it/inspect.rs`: a SavedModel of a graph, one of functions, and a TFLite model.

    pip install tensorflow-cpu==2.21.0 && python make.py

writes them beside this script. What they hold is what `saved_model_cli show --dir … --all` says of them.
"""

import os
import pathlib
import shutil
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

HERE = pathlib.Path(__file__).parent
v1 = tf.compat.v1


def graph(folder):
    """y = 0.5 x + 2 of a tensor, and of examples."""
    with tf.Graph().as_default() as made, v1.Session(graph=made) as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        feature = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        a, b = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=2.0)
        y, y2 = tf.add(tf.multiply(a, x), b, name="y"), tf.add(tf.multiply(a, feature), b, name="y2")
        session.run(v1.global_variables_initializer())
        info, definition = v1.saved_model.build_tensor_info, v1.saved_model.build_signature_def
        signatures = {
            "serving_default": definition({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
            "regress_x_to_y": definition({"inputs": info(examples)}, {"outputs": info(y2)}, "tensorflow/serving/regress"),
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


class Functions(tf.Module):
    def __init__(self):
        self.a = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x"), tf.TensorSpec([None], tf.string, name="who")])
    def __call__(self, x, who):
        return {"y": tf.reduce_sum(x, axis=1) * self.a, "who": tf.strings.upper(who)}


class Softmax(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        return {"probability": tf.nn.softmax(tf.nn.relu(tf.matmul(x, tf.ones([4, 3]))) + 1.0)}


with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    graph(work / "graph")
    functions, softmax = Functions(), Softmax()
    tf.saved_model.save(functions, str(work / "functions"), signatures=functions.__call__)
    tf.saved_model.save(softmax, str(work / "softmax"), signatures=softmax.__call__)
    for name in ("graph", "functions"):
        shutil.copy(work / name / "saved_model.pb", HERE / f"{name}.pb")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(work / "softmax"))
    (HERE / "softmax.tflite").write_bytes(converter.convert())
