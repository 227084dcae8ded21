//! `GET /openapi.json`: the REST API with the inputs of the currently served models.

use serde_json::{Map, Value, json};
use tidemill_core::{DataType, RowShape, TensorView};

use crate::inference::signature::TargetSignature;
use crate::protocol::tfs::signature::{Method, signatures};

/// Facts about the server for the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerFacts {
    /// The gRPC port, if gRPC is served.
    pub(crate) grpc_port: Option<u16>,
    pub(crate) tls: bool,
    /// Whether clients need an API key.
    pub(crate) has_keys: bool,
    /// Whether clients may load and unload models.
    pub(crate) model_control: bool,
}

/// The document. `models` are the targets that answer without a version.
pub(crate) fn document<'a>(facts: ServerFacts, models: impl Iterator<Item = &'a TargetSignature>) -> Value {
    let mut paths = server_paths();
    if facts.model_control {
        for verb in ["load", "unload"] {
            let post = operation("repository", &format!("{verb} a model (role `admin`)"), None);
            let mut path = json!({ "post": post });
            path["parameters"] =
                json!([{ "name": "model", "in": "path", "required": true, "schema": { "type": "string" } }]);
            paths.insert(format!("/v2/repository/models/{{model}}/{verb}"), path);
        }
    }
    let (mut schemas, mut facts_of_models) = (Map::new(), Vec::new());
    for model in models {
        add_model(&mut paths, &mut schemas, model);
        facts_of_models.push(model_facts(model));
    }
    schemas.insert("Error".to_owned(), error_schema());
    let mut components = json!({ "schemas": schemas });
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidemill model server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "TF Serving's REST API (/v1), the Open Inference Protocol (/v2) and MLflow's /invocations.",
        },
        "paths": paths,
        "x-tidemill-models": facts_of_models,
        "x-tidemill-grpc": { "port": facts.grpc_port, "tls": facts.tls },
    });
    if facts.has_keys {
        components["securitySchemes"] = json!({ "apiKey": { "type": "http", "scheme": "bearer" } });
        document["security"] = json!([{ "apiKey": [] }]);
    }
    document["components"] = components;
    document
}

fn server_paths() -> Map<String, Value> {
    let get = |path: &str, about: &str| {
        let mut get = json!({ "tags": ["server"], "summary": about, "responses": { "200": { "description": "OK" } } });
        if path.ends_with("ready") || path == "/readyz" {
            get["responses"]["503"] = json!({ "description": "not ready" });
        }
        (path.to_owned(), json!({ "get": get }))
    };
    let mut paths: Map<String, Value> = [
        get("/livez", "Whether the process answers"),
        get("/readyz", "Whether every model answers"),
        get("/metrics", "Metrics as Prometheus text (role `metrics`)"),
        get("/v2", "Name, version and extensions of the server"),
        get("/v2/health/live", "Whether the process answers"),
        get("/v2/health/ready", "Whether every model answers"),
    ]
    .into_iter()
    .collect();
    paths.insert(
        "/v2/repository/index".to_owned(),
        json!({ "post": operation("repository", "Every version that is known, and its state", None) }),
    );
    paths
}

/// A path for each operation on a model.
fn add_model(paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>, model: &TargetSignature) {
    let name = &model.name;
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    let encoded = encoded.replace("%2D", "-").replace("%5F", "_").replace("%2E", ".");
    let row = format!("{name}.Row");
    schemas.insert(row.clone(), row_schema(&model.tensors.input_tensors()));
    let reference = json!({ "$ref": format!("#/components/schemas/{}", row.replace('~', "~0").replace('/', "~1")) });
    let rows = json!({ "type": "array", "minItems": 1, "items": reference });
    let one_of = |key: &str| json!({ "type": "object", "required": [key], "properties": { key: rows } });
    let columns: Map<String, Value> = model
        .tensors
        .input_tensors()
        .iter()
        .map(|input| (input.name.to_owned(), json!({ "type": "array", "items": value_schema(input) })))
        .collect();
    let by_column = json!({
        "type": "object", "required": ["inputs"],
        "properties": { "inputs": { "type": "object", "properties": columns } },
    });
    let predict = json!({ "oneOf": [one_of("instances"), by_column] });
    let mut post = |path: String, about: &str, body: &Value| {
        paths.insert(path, json!({ "post": operation(name, about, Some(body)) }));
    };
    post(format!("/v1/models/{encoded}:predict"), "Predict rows or columns (TF Serving)", &predict);
    for (_, method) in signatures(model) {
        let verb = match method {
            Method::Predict => continue,
            Method::Classify => "classify",
            Method::Regress => "regress",
        };
        post(format!("/v1/models/{encoded}:{verb}"), &format!("{verb} examples (TF Serving)"), &one_of("examples"));
    }
    post(format!("/v1/models/{encoded}:explain"), "What each feature adds to the score of each row (KServe)", &predict);
    post(format!("/v2/models/{encoded}/infer"), "Infer (Open Inference Protocol)", &infer_schema(model));
    let frames = json!({ "oneOf": [one_of("dataframe_records"), one_of("instances"), split_schema()] });
    post(format!("/endpoints/{encoded}/invocations"), "Predict a data frame (MLflow)", &frames);
    let mut get = |path: String, about: &str| {
        paths.insert(path, json!({ "get": operation(name, about, None) }));
    };
    get(format!("/v1/models/{encoded}"), "States of the versions (TF Serving)");
    get(format!("/v1/models/{encoded}/metadata"), "Inputs and outputs (TF Serving)");
    get(format!("/v2/models/{encoded}"), "Inputs and outputs (Open Inference Protocol)");
    get(format!("/v2/models/{encoded}/ready"), "Whether the model answers (Open Inference Protocol)");
}

fn operation(tag: &str, about: &str, body: Option<&Value>) -> Value {
    let error = json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } });
    let described = |text: &str| {
        let mut error = error.clone();
        error["description"] = json!(text);
        error
    };
    let mut operation = json!({
        "tags": [tag],
        "summary": about,
        "responses": { "200": { "description": "OK" }, "default": described("an error") },
    });
    if let Some(schema) = body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": { "type": "string" },
            "code": { "type": "string", "pattern": "^TM[0-9]{4}$", "description": "see `tidemill explain CODE`" },
        },
    })
}

fn row_schema(inputs: &[TensorView<'_>]) -> Value {
    let properties: Map<String, Value> =
        inputs.iter().map(|input| (input.name.to_owned(), value_schema(input))).collect();
    let required: Vec<&str> = inputs.iter().filter(|input| !input.optional).map(|input| input.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The schema of an input's value in one row.
fn value_schema(input: &TensorView<'_>) -> Value {
    let scalar = match (input.datatype, input.form) {
        (_, RowShape::Binary) => {
            json!({ "type": "object", "required": ["b64"], "properties": { "b64": { "type": "string", "contentEncoding": "base64" } } })
        }
        (DataType::Bool, _) => json!({ "type": "boolean" }),
        (DataType::Int64, _) => json!({ "type": "integer", "format": "int64" }),
        (DataType::Fp64, _) => json!({ "type": "number" }),
        (DataType::Bytes, _) => json!({ "type": "string" }),
    };
    let value = match (input.form, input.width) {
        (RowShape::List, _) => json!({ "type": "array", "items": scalar }),
        (_, Some(width)) => json!({ "type": "array", "items": scalar, "minItems": width, "maxItems": width }),
        _ => scalar,
    };
    if input.optional { json!({ "oneOf": [value, { "type": "null" }] }) } else { value }
}

fn split_schema() -> Value {
    let split = json!({
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" } },
            "data": { "type": "array", "items": { "type": "array" } },
        },
    });
    json!({ "type": "object", "required": ["dataframe_split"], "properties": { "dataframe_split": split } })
}

fn infer_schema(model: &TargetSignature) -> Value {
    let names: Vec<&str> = model.tensors.input_tensors().iter().map(|input| input.name).collect();
    let name =
        if model.takes_matrix() { json!({ "type": "string" }) } else { json!({ "type": "string", "enum": names }) };
    let tensor = json!({
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": name,
            "datatype": { "type": "string" },
            "shape": { "type": "array", "items": { "type": "integer" } },
            "data": { "type": "array" },
        },
    });
    json!({
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": { "type": "string" },
            "inputs": { "type": "array", "items": tensor },
            "outputs": { "type": "array", "items": { "type": "object", "required": ["name"] } },
        },
    })
}

/// The facts about a model that a page needs, in an easily readable form.
fn model_facts(model: &TargetSignature) -> Value {
    let tensor = |tensor: &TensorView<'_>| {
        let form = match (tensor.form, tensor.width) {
            (RowShape::Binary, _) => "bytes",
            (RowShape::List, _) | (_, Some(_)) => "list",
            _ => "value",
        };
        json!({
            "name": tensor.name,
            "datatype": tensor.datatype.oip_name(),
            "shape": tensor.shape(),
            "optional": tensor.optional,
            "form": form,
        })
    };
    json!({
        "name": model.name,
        "version": model.version,
        "platform": model.platform,
        "inputs": model.tensors.input_tensors().iter().map(tensor).collect::<Vec<_>>(),
        "outputs": model.tensors.output_tensors().iter().map(tensor).collect::<Vec<_>>(),
    })
}
