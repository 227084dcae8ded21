"use strict";
(() => {
  const state = document.getElementById("state");
  const main = document.getElementById("models");
  let key = "";

  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const authorized = (headers = {}) => (key ? { ...headers, authorization: `Bearer ${key}` } : headers);

  // The text of a field as the value of its input; undefined: nothing is given.
  const parsed = (input, text) => {
    const scalar = (text) => {
      if (input.datatype === "BYTES") return text;
      if (input.datatype === "BOOL") {
        if (text === "true" || text === "false") return text === "true";
        throw new Error("true or false");
      }
      if (input.datatype === "INT64") {
        if (!/^[-+]?\d+$/.test(text)) throw new Error("a whole number");
        return new Raw(text.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1"));
      }
      if (/^-?(NaN|Infinity)$/.test(text)) return text;
      const number = Number(text);
      if (text === "" || Number.isNaN(number)) throw new Error("a number");
      return number;
    };
    if (text.trim() === "" && input.optional) return undefined;
    if (input.form === "bytes") return { b64: text.trim() };
    if (input.form !== "list") return scalar(input.datatype === "BYTES" ? text : text.trim());
    const items = text.trim() === "" ? [] : text.split(",");
    return items.map((item) => scalar(item.trim()));
  };

  // A number too large for a script, as its digits.
  class Raw { constructor(digits) { this.digits = digits; } }
  const written = (value) => {
    if (value instanceof Raw) return value.digits;
    if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
    if (value && typeof value === "object") {
      return `{${Object.entries(value).map(([name, value]) => `${JSON.stringify(name)}: ${written(value)}`).join(", ")}}`;
    }
    return JSON.stringify(value);
  };

  const first = (input) => {
    if (input.optional) return "";
    const one = { BOOL: "false", INT64: "1", FP64: "1.0", BYTES: "" }[input.datatype] ?? "";
    if (input.form === "list") return input.shape[1] > 0 ? Array(input.shape[1]).fill(one).join(", ") : one;
    return input.form === "bytes" ? "" : one;
  };

  const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const python = (value) => {
    if (value === true) return "True";
    if (value === false) return "False";
    if (value === null) return "None";
    if (value instanceof Raw) return value.digits;
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    if (typeof value === "object") {
      return `{${Object.entries(value).map(([name, value]) => `${JSON.stringify(name)}: ${python(value)}`).join(", ")}}`;
    }
    return JSON.stringify(value);
  };
  const fields = { BOOL: "bool_contents", INT64: "int64_contents", FP64: "fp64_contents", BYTES: "bytes_contents" };
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

  const snippets = (model, grpc) => {
    const path = `/v1/models/${encodeURIComponent(model.name)}:predict`;
    const url = location.origin + path;
    const curl = (row) => [
      `curl -s ${shell(url)} \\`,
      ...(key ? [`  -H "Authorization: Bearer $TIDEMILL_KEY" \\`] : []),
      `  -d ${shell(`{"instances": [${written(row)}]}`)}`,
    ].join("\n");
    const py = (row) => [
      "import requests  # pip install requests",
      "",
      `row = ${python(row)}`,
      `answer = requests.post(`,
      `    ${JSON.stringify(url)},`,
      ...(key ? ['    headers={"Authorization": f"Bearer {key}"},'] : []),
      `    json={"instances": [row]},`,
      `)`,
      "answer.raise_for_status()",
      `print(answer.json()["predictions"][0])`,
    ].join("\n");
    const grpcurl = (row) => {
      if (!grpc.port) return "gRPC is off: start the server with --port 8500";
      const inputs = model.inputs.filter((input) => row[input.name] !== undefined).map((input) => {
        const value = row[input.name];
        const items = Array.isArray(value) ? value : [value];
        const contents = items.map((item) => {
          if (item instanceof Raw) return item.digits;
          if (input.form === "bytes") return item.b64;
          return input.datatype === "BYTES" ? base64(item) : item;
        });
        const listed = contents.map((item) => (input.datatype === "INT64" ? item : JSON.stringify(item))).join(", ");
        const shape = Array.isArray(value) ? `1, ${value.length}` : "1";
        return `    {"name": ${JSON.stringify(input.name)}, "datatype": "${input.datatype}", "shape": [${shape}],`
          + ` "contents": {"${fields[input.datatype]}": [${listed}]}}`;
      });
      const message = `{"model_name": ${JSON.stringify(model.name)}, "inputs": [\n${inputs.join(",\n")}\n  ]}`;
      return [
        `grpcurl ${grpc.tls ? "" : "-plaintext "}\\`,
        ...(key ? [`  -H "authorization: Bearer $TIDEMILL_KEY" \\`] : []),
        `  -d ${shell(message)} \\`,
        `  ${location.hostname}:${grpc.port} inference.GRPCInferenceService/ModelInfer`,
      ].join("\n");
    };
    return { path, written: { curl, Python: py, grpcurl } };
  };

  const card = (model, grpc) => {
    const { path, written: languages } = snippets(model, grpc);
    const rows = model.inputs.map((input) => {
      const field = input.datatype === "BOOL" && input.form === "value"
        ? make("select", {}, ...(input.optional ? ["", "true", "false"] : ["false", "true"]).map((value) => make("option", { value }, value)))
        : make("input", { value: first(input), autocomplete: "off", spellcheck: false });
      const note = [input.datatype, input.form === "value" ? "" : input.form, input.optional ? "optional" : ""];
      return { input, field, label: make("label", {}, input.name, make("small", {}, note.filter(Boolean).join(", ")), field) };
    });
    const result = make("output");
    const code = make("pre", { tabIndex: 0 });
    const tabs = make("div", { className: "tabs", role: "tablist", ariaLabel: "Snippets" });
    let language = "curl";
    const row = (strict) => {
      const row = {};
      for (const { input, field } of rows) {
        field.removeAttribute("aria-invalid");
        try {
          const value = parsed(input, field.value);
          if (value !== undefined) row[input.name] = value;
        } catch (error) {
          field.setAttribute("aria-invalid", "true");
          if (strict) throw new Error(`${input.name}: ${error.message} is expected`);
        }
      }
      return row;
    };
    const show = () => {
      code.textContent = languages[language](row(false));
      for (const tab of tabs.querySelectorAll("[role=tab]")) tab.ariaSelected = String(tab.textContent === language);
    };
    for (const name of Object.keys(languages)) {
      tabs.append(make("button", { type: "button", className: "plain", role: "tab", onclick: () => { language = name; show(); } }, name));
    }
    const copy = make("button", { type: "button", className: "plain copy" }, "copy");
    copy.onclick = async () => {
      try { await navigator.clipboard.writeText(code.textContent); copy.textContent = "copied"; } catch { copy.textContent = "select and copy"; }
      setTimeout(() => { copy.textContent = "copy"; }, 1500);
    };
    tabs.append(copy);
    const form = make("form", { noValidate: true },
      make("div", { className: "fields" }, ...rows.map(({ label }) => label)),
      make("div", { className: "send" }, make("button", { type: "submit" }, "Predict"), result));
    form.oninput = show;
    form.onsubmit = async (event) => {
      event.preventDefault();
      result.className = "";
      try {
        const body = `{"instances": [${written(row(true))}]}`;
        const began = performance.now();
        const answer = await fetch(path, { method: "POST", body, headers: authorized({ "content-type": "application/json" }) });
        const took = (performance.now() - began).toFixed(1);
        const text = await answer.text();
        if (!answer.ok) {
          let error = { error: text };
          try { error = JSON.parse(text); } catch { /* as it is */ }
          throw new Error([error.error, error.code && `[${error.code}]`].filter(Boolean).join(" "));
        }
        // As it was sent: large integers keep their digits.
        const list = text.replace(/^\{"predictions":\s*\[/, "").replace(/\]\}\s*$/, "");
        result.textContent = `${model.outputs.length === 1 ? `${model.outputs[0].name}: ` : ""}${list}   (${took} ms)`;
        result.className = "good";
      } catch (error) {
        result.textContent = error.message;
        result.className = "bad";
      }
    };
    const table = (name, tensors) => make("table", {},
      make("thead", {}, make("tr", {}, ...[name, "type", "shape"].map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...tensors.map((tensor) => make("tr", {}, make("td", {}, tensor.name),
        make("td", {}, tensor.datatype + (tensor.optional ? ", optional" : "")), make("td", {}, `[${tensor.shape.join(", ")}]`)))));
    const version = model.version === null ? "" : `version ${model.version} · `;
    const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    show();
    return make("section", { className: "card" },
      make("h2", {}, model.name),
      make("p", { className: "about" }, `${version}${model.platform} · ${count(model.inputs.length, "input")} · ${count(model.outputs.length, "output")}`),
      make("h3", {}, "Try it"), form,
      make("h3", {}, "Call it"), tabs, code,
      make("details", {}, make("summary", {}, "Inputs and outputs"),
        make("div", { className: "scroll" }, table("input", model.inputs), table("output", model.outputs))));
  };

  const ask = (message) => {
    const field = make("input", { type: "password", autocomplete: "off", name: "key" });
    const form = make("form", { className: "card" }, make("label", {}, message, field),
      make("div", { className: "send" }, make("button", { type: "submit" }, "Show the models")));
    form.onsubmit = (event) => { event.preventDefault(); key = field.value.trim(); load(); };
    main.replaceChildren(form);
    state.textContent = "an API key is needed";
  };

  const load = async () => {
    try {
      const answer = await fetch("/openapi.json", { headers: authorized() });
      if (answer.status === 401 || answer.status === 403) return ask(key ? "That key does not work. API key" : "API key");
      const document = await answer.json();
      if (!answer.ok) throw new Error(document.error);
      const models = document["x-tidemill-models"];
      const cards = models.map((model) => card(model, document["x-tidemill-grpc"]));
      const none = make("p", { className: "card" }, "No model is available yet: the next one that is pushed appears here. ");
      main.replaceChildren(...(cards.length ? cards : [none]));
      state.textContent = `${document.info.version} · ${models.length === 1 ? "1 model" : `${models.length} models`}`;
    } catch (error) {
      state.textContent = `the server does not answer: ${error.message}`;
    }
  };
  load();
})();
