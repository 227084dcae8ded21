"""What clients that others wrote see of the server. Started by `run`, which brings the clients and the server."""

import argparse
import http.client
import json
import pathlib
import sys
import urllib.parse

import numpy as np

MODEL = "taxi-tips"
NUMPY = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
failures = []


def check(name, found, expected):
    """Exact equality, and a line that says so."""
    if found == expected:
        print(f"ok      {name}")
    else:
        failures.append(name)
        print(f"FAILED  {name}\n          found    {found!r}\n          expected {expected!r}")


def sample(package, inputs):
    """Rows of the package in which no input is missing, as columns, with the predictions made in training."""
    rows = json.loads((package / "sample.json").read_text())["rows"]
    whole = [row for row in rows if all(row["row"].get(tensor["name"]) is not None for tensor in inputs)]
    columns = {
        tensor["name"]: np.array([row["row"][tensor["name"]] for row in whole], dtype=NUMPY[tensor["datatype"]])
        for tensor in inputs
    }
    return columns, [row["prediction"] for row in whole], [row["row"] for row in whole]


def request(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, text


def scenarios(address, folder):
    """Requests and exact answers: `expect` is the whole body, `contains` pieces of it."""
    for path in sorted(folder.glob("*.json")):
        for case in json.loads(path.read_text()):
            body = case.get("body")
            if body is not None and not isinstance(body, str):
                body = json.dumps(body)
            status, text = request(address, case["method"], case["path"], body)
            name = f"{path.stem}: {case['name']}"
            check(f"{name} (status)", status, case["status"])
            if "expect" in case:
                found = json.loads(text)
                if "error" in case["expect"]:
                    # Errors carry the code of Tidemill's catalogue beside the message of the protocol.
                    code = found.pop("code", "")
                    check(f"{name} (code)", code[:2], "TM")
                check(name, found, case["expect"])
            for piece in case.get("contains", []):
                check(f"{name} ({piece!r})", piece in text.decode(), True)


def tf_serving_rest(address, rows, predictions):
    status, text = request(address, "POST", f"/v1/models/{MODEL}:predict", json.dumps({"instances": rows}))
    answer = json.loads(text)
    found = [row["probability"] if isinstance(row, dict) else row for row in answer.get("predictions", [])]
    check("TF Serving REST: rows, bit for bit", (status, found), (200, predictions))
    inputs = {name: [row[name] for row in rows] for name in rows[0]}
    status, text = request(address, "POST", f"/v1/models/{MODEL}:predict", json.dumps({"inputs": inputs}))
    answer = json.loads(text).get("outputs")
    found = answer.get("probability") if isinstance(answer, dict) else answer
    check("TF Serving REST: columns, bit for bit", (status, found), (200, predictions))


def tensors(triton, columns, datatypes, **how):
    for name, values in columns.items():
        tensor = triton.InferInput(name, list(values.shape), datatypes[name])
        tensor.set_data_from_numpy(values, **how)
        yield tensor


def triton_client(kind, triton, address, columns, predictions, datatypes):
    client = triton.InferenceServerClient(address)
    check(f"tritonclient.{kind}: live", client.is_server_live(), True)
    check(f"tritonclient.{kind}: ready", client.is_server_ready(), True)
    check(f"tritonclient.{kind}: model ready", client.is_model_ready(MODEL), True)
    check(f"tritonclient.{kind}: version ready", client.is_model_ready(MODEL, "1"), True)
    check(f"tritonclient.{kind}: no such model is not ready", client.is_model_ready("nobody"), False)
    metadata = client.get_model_metadata(MODEL)
    name = metadata["name"] if isinstance(metadata, dict) else metadata.name
    check(f"tritonclient.{kind}: metadata", name, MODEL)
    ways = {"defaults": {}, "gzip": {}, "deflate": {}}
    if kind == "http":
        ways["JSON"] = {"binary_data": False}
    for way, how in ways.items():
        option = "request_compression_algorithm" if kind == "http" else "compression_algorithm"
        more = {option: way} if way in ("gzip", "deflate") else {}
        answer = client.infer(MODEL, list(tensors(triton, columns, datatypes, **how)), request_id="r-1", **more)
        found = answer.as_numpy("probability").reshape(-1).tolist()
        check(f"tritonclient.{kind}: {way}, bit for bit", found, predictions)
        response = answer.get_response()
        check(f"tritonclient.{kind}: {way}, id", response["id"] if isinstance(response, dict) else response.id, "r-1")
    outputs = [triton.InferRequestedOutput("probability", **({"binary_data": False} if kind == "http" else {}))]
    answer = client.infer(MODEL, list(tensors(triton, columns, datatypes)), outputs=outputs, model_version="1")
    check(f"tritonclient.{kind}: a version, an output", answer.as_numpy("probability").tolist(), predictions)
    for what, call in {
        "unknown model": lambda: client.infer("nobody", list(tensors(triton, columns, datatypes))),
        "unknown output": lambda: client.infer(
            MODEL, list(tensors(triton, columns, datatypes)), outputs=[triton.InferRequestedOutput("nothing")]
        ),
        "no inputs": lambda: client.infer(MODEL, []),
    }.items():
        try:
            call()
            check(f"tritonclient.{kind}: {what} is an error", "an answer", "an error")
        except Exception as error:  # the client's own class
            check(f"tritonclient.{kind}: {what} is an error", type(error).__name__, "InferenceServerException")
    client.close()


def reflection(address, columns, predictions):
    """TF Serving's Predict with nothing but what the server tells of itself, as grpcurl does it."""
    import grpc
    from google.protobuf import descriptor_pool, message_factory
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = set(database.get_services())
        wanted = {
            "tensorflow.serving.PredictionService",
            "tensorflow.serving.ModelService",
            "inference.GRPCInferenceService",
            "grpc.health.v1.Health",
        }
        check("reflection: services", wanted - services, set())
        pool = descriptor_pool.DescriptorPool(database)
        method = pool.FindServiceByName("tensorflow.serving.PredictionService").FindMethodByName("Predict")
        ask = message_factory.GetMessageClass(method.input_type)()
        ask.model_spec.name = MODEL
        kinds = {"float64": (2, "double_val"), "int64": (9, "int64_val"), "bool": (10, "bool_val"), "object": (7, "string_val")}
        for name, values in columns.items():
            dtype, field = kinds[values.dtype.name]
            tensor = ask.inputs[name]
            tensor.dtype = dtype
            tensor.tensor_shape.dim.add(size=len(values))
            listed = [value.encode() if isinstance(value, str) else value for value in values.tolist()]
            getattr(tensor, field).extend(listed)
        answers = message_factory.GetMessageClass(method.output_type)
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answers.FromString,
        )
        answer = call(ask, timeout=20)
        output = answer.outputs["probability"]
        found = list(output.double_val) or np.frombuffer(output.tensor_content, np.float64).tolist()
        check("reflection: Predict, bit for bit", found, predictions)
        ask.model_spec.name = "nobody"
        try:
            call(ask, timeout=20)
            check("reflection: unknown model", "an answer", "NOT_FOUND")
        except grpc.RpcError as error:
            check("reflection: unknown model", error.code().name, "NOT_FOUND")


def health(address):
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20).status
        check("grpc health", status, health_pb2.HealthCheckResponse.SERVING)


def tensorflow_serving(address, columns, predictions):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc
    from tensorflow_serving.apis import classification_pb2, session_service_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        ask = predict_pb2.PredictRequest()
        ask.model_spec.name = MODEL
        ask.model_spec.signature_name = "serving_default"
        for name, values in columns.items():
            ask.inputs[name].CopyFrom(tf.make_tensor_proto(values.tolist(), dtype=tf.as_dtype(values.dtype) if values.dtype != object else tf.string))
        answer = service.Predict(ask, 20)
        check("tensorflow-serving-api: Predict", tf.make_ndarray(answer.outputs["probability"]).tolist(), predictions)
        metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        metadata.model_spec.name = MODEL
        found = service.GetModelMetadata(metadata, 20).model_spec.version.value
        check("tensorflow-serving-api: GetModelMetadata", found, 1)
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = MODEL
        state = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, 20).model_version_status[0].state
        check("tensorflow-serving-api: GetModelStatus", state, 30)
        ask = classification_pb2.ClassificationRequest()
        ask.model_spec.name = MODEL
        for row in range(len(predictions)):
            features = ask.input.example_list.examples.add().features.feature
            for name, values in columns.items():
                value = values[row]
                if values.dtype == object:
                    features[name].bytes_list.value.append(value.encode())
                elif values.dtype == np.float64:
                    features[name].float_list.value.append(value)
                else:
                    features[name].int64_list.value.append(int(value))
        classes = service.Classify(ask, 20).result.classifications
        check("tensorflow-serving-api: Classify, rows", len(classes), len(predictions))
        check("tensorflow-serving-api: Classify, labels", [one.label for one in classes[0].classes], ["0", "1"])
        ask = session_service_pb2.SessionRunRequest(fetch=["probability:0"])
        ask.model_spec.name = MODEL
        for name, values in columns.items():
            dtype = tf.as_dtype(values.dtype) if values.dtype != object else tf.string
            ask.feed.add(name=name + ":0").tensor.CopyFrom(tf.make_tensor_proto(values.tolist(), dtype=dtype))
        run = channel.unary_unary(
            "/tensorflow.serving.SessionService/SessionRun",
            request_serializer=session_service_pb2.SessionRunRequest.SerializeToString,
            response_deserializer=session_service_pb2.SessionRunResponse.FromString,
        )
        answer = run(ask, timeout=20)
        found = tf.make_ndarray(answer.tensor[0].tensor).tolist()
        check("tensorflow-serving-api: SessionRun, bit for bit", found, predictions)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", type=pathlib.Path, required=True)
    parser.add_argument("--package", type=pathlib.Path, required=True)
    parser.add_argument("--scenarios", type=pathlib.Path, required=True)
    parser.add_argument("--tensorflow", action="store_true")
    parser.add_argument("--kserve-v1", type=pathlib.Path, help="of a server with that flag")
    return parser.parse_args()


def the_server(args):
    """Where it is, its inputs, and rows with their predictions."""
    said = json.loads(args.address.read_text())
    rest, grpc_address = urllib.parse.urlparse(said["rest"]).netloc, said["grpc"]
    status, text = request(rest, "GET", f"/v2/models/{MODEL}")
    check("metadata", status, 200)
    inputs = json.loads(text)["inputs"]
    datatypes = {tensor["name"]: tensor["datatype"] for tensor in inputs}
    return rest, grpc_address, datatypes, *sample(args.package, inputs)


def end():
    print(f"{len(failures)} failed" if failures else "all well")
    sys.exit(1 if failures else 0)


def main():
    args = arguments()
    rest, grpc_address, datatypes, columns, predictions, rows = the_server(args)

    import tritonclient.grpc
    import tritonclient.http

    scenarios(rest, args.scenarios)
    tf_serving_rest(rest, rows, predictions)
    triton_client("http", tritonclient.http, rest, columns, predictions, datatypes)
    triton_client("grpc", tritonclient.grpc, grpc_address, columns, predictions, datatypes)
    reflection(grpc_address, columns, predictions)
    health(grpc_address)
    if args.tensorflow:
        tensorflow_serving(grpc_address, columns, predictions)
    end()


if __name__ == "__main__":
    main()
