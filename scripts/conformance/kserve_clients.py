"""What KServe's own clients see of the server: its protocols v1 and v2 over REST, v2 over gRPC.

In a process of its own: its messages and tritonclient's have the same names.
"""

import asyncio
import json

import clients
from clients import MODEL, check


async def kserve_clients(rest, grpc_address, columns, rows, predictions, datatypes, kserve_v1):
    from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
    from kserve.inference_client import RESTConfig

    base = f"http://{rest}"

    def ask(binary):
        inputs = []
        for name, values in columns.items():
            tensor = InferInput(name, list(values.shape), datatypes[name])
            tensor.set_data_from_numpy(values, binary_data=binary)
            inputs.append(tensor)
        return InferRequest(model_name=MODEL, infer_inputs=inputs, request_id="r-1")

    async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=20)) as client:
        check("kserve v2 REST: live", await client.is_server_live(base), True)
        check("kserve v2 REST: ready", await client.is_server_ready(base), True)
        check("kserve v2 REST: model ready", await client.is_model_ready(base, MODEL), True)
        check("kserve v2 REST: no such model is not ready", await client.is_model_ready(base, "nobody"), False)
        for way, binary in (("JSON", False), ("binary", True)):
            answer = await client.infer(base, ask(binary), model_name=MODEL)
            found = answer.outputs[0].as_numpy().reshape(-1).tolist()
            check(f"kserve v2 REST: {way}, bit for bit", found, predictions)
            check(f"kserve v2 REST: {way}, id and name", (answer.id, answer.model_name), ("r-1", MODEL))
        try:
            await client.infer(base, ask(False), model_name="nobody")
            check("kserve v2 REST: unknown model", "an answer", "an error")
        except Exception as error:  # the client's own class
            check("kserve v2 REST: unknown model", "unknown model `nobody`" in str(error), True)
    async with InferenceRESTClient(RESTConfig(protocol="v1", timeout=20)) as client:
        check("kserve v1: live", await client.is_server_live(base), True)
        answer = await client.infer(base, {"instances": rows}, model_name=MODEL)
        check("kserve v1: predict, bit for bit", answer["predictions"], predictions)
        answer = await client.explain(base, MODEL, {"instances": rows[:2]})
        check("kserve v1: explain", len(answer["explanations"]), 2)
        check("kserve v1: model ready", await client.is_model_ready(kserve_v1, MODEL), True)
        try:
            await client.is_model_ready(kserve_v1, "nobody")
            check("kserve v1: no such model", "an answer", "404")
        except Exception as error:  # the client's own class
            check("kserve v1: no such model", error.response.status_code, 404)
    client = InferenceGRPCClient(url=grpc_address)
    check("kserve gRPC: live", await client.is_server_live(), True)
    check("kserve gRPC: ready", await client.is_server_ready(), True)
    check("kserve gRPC: model ready", await client.is_model_ready(MODEL), True)
    answer = await client.infer(ask(True))
    check("kserve gRPC: bit for bit", answer.outputs[0].as_numpy().reshape(-1).tolist(), predictions)
    await client.close()


if __name__ == "__main__":
    args = clients.arguments()
    rest, grpc_address, datatypes, columns, predictions, rows = clients.the_server(args)
    kserve_v1 = json.loads(args.kserve_v1.read_text())["rest"]
    asyncio.run(kserve_clients(rest, grpc_address, columns, rows, predictions, datatypes, kserve_v1))
    clients.end()
