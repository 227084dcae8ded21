(() => {
  const { data, byId, el, svg, whole, percent } = page;
  const view = { search: "", sort: "score", show: "all", chart: "auto", scale: "linear", slice: "" };
  const W = 270, H = 48, PART = 80;
  // What is compared: the datasets, or what a slice makes of them.
  let sets = data.datasets, many = sets.length > 1;

  const number = x => {
    const a = Math.abs(x);
    if (a === 0) return "0";
    if (a >= 1e15 || a < 1e-4) return x.toExponential(2);
    if (Number.isInteger(x)) return whole(x);
    if (a >= 1000) return x.toLocaleString("en-US", { maximumFractionDigits: a >= 1e5 ? 0 : 1 });
    return String(+x.toPrecision(a >= 1 ? 4 : 3));
  };
  const gone = s => s.missing / Math.max(1, s.missing + s.count);

  data.features.forEach((f, i) => {
    f.order = i;
    f.all = f.stats;
    f.key = f.name.toLowerCase();
    const s = f.stats.find(Boolean) || {};
    f.kind = s.numbers ? "number" : s.time ? "time" : s.bytes ? "bytes" : "text";
  });
  function measure() {
    data.features.forEach(f => {
      f.missing = Math.max(...f.stats.map(s => s ? gone(s) : 1));
      f.distance = f.drift && !view.slice ? f.drift.js : distance(f);
    });
  }

  // The slice chosen in every dataset that has it; of a single dataset beside the whole.
  function choose() {
    const chosen = data.slices ? data.slices.shown.filter(s => s.name === view.slice) : [];
    const entire = chosen.length && data.datasets.length > 1 ? [] : data.datasets.map((d, i) => ({ name: d.name, rows: d.rows, of: f => f.all[i] }));
    const parts = chosen.map(s => ({ name: data.datasets.length > 1 ? `${data.datasets[s.of].name}, ${s.name}` : s.name, rows: s.rows, of: f => s.stats[f.order] }));
    sets = entire.concat(parts);
    many = sets.length > 1;
    data.features.forEach(f => { f.stats = sets.map(set => set.of(f)); });
    const legend = document.querySelector(".legend");
    legend.replaceChildren(...sets.map((set, i) => {
      const key = el("span", "key");
      key.append(el("i", "dot c" + i % 6), set.name, el("em", "", `${whole(set.rows)} rows`));
      return key;
    }));
    measure();
  }

  // Largest difference of shares between the first dataset and any other: of values, or of the cumulative shares of quantile bins.
  function distance(f) {
    const first = f.stats[0];
    let worst = 0;
    for (const other of f.stats.slice(1)) {
      if (!first || !other) { worst = 1; continue; }
      if (first.text && other.text) {
        const a = new Map(first.text.top), b = new Map(other.text.top);
        for (const v of new Set([...a.keys(), ...b.keys()])) {
          const d = (a.get(v) || 0) / Math.max(1, first.count) - (b.get(v) || 0) / Math.max(1, other.count);
          worst = Math.max(worst, Math.abs(d));
        }
      } else if (first.numbers && other.numbers) {
        for (const [x] of first.numbers.share.concat(other.numbers.share)) {
          worst = Math.max(worst, Math.abs(below(first.numbers.share, x) - below(other.numbers.share, x)));
        }
      }
      worst = Math.max(worst, Math.abs(gone(first) - gone(other)));
    }
    return worst;
  }
  function below(buckets, x) {
    let under = 0, total = 0;
    for (const [lo, hi, c] of buckets) {
      total += c;
      under += hi <= x && lo < x ? c : lo < x ? c * (x - lo) / (hi - lo) : 0;
    }
    return total ? under / total : 0;
  }

  // What a histogram is drawn from: numbers, moments or lengths.
  function spread(f, s) {
    if (!s) return null;
    if (f.kind === "number") return s.numbers && s.count - s.numbers.odd > 0 ? s.numbers : null;
    const even = f.kind === "time" ? s.time && s.time.even : s.bytes && s.bytes.lengths;
    return even && even.length ? { even, share: even, min: even[0][0], max: even[even.length - 1][1] } : null;
  }
  // A bucket of equal width that holds nearly everything hides how the rest is spread.
  function skewed(f) {
    return f.kind === "number" && f.stats.some(s => {
      const of = spread(f, s);
      return of && of.even.length > 2 && Math.max(...of.even.map(b => b[2])) > .8 * of.even.reduce((t, b) => t + b[2], 0);
    });
  }
  function moment(seconds, span) {
    const text = new Date(seconds * 1000).toISOString();
    return span > 4 * 86400 ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
  }

  // One histogram for all datasets, on a common axis; height is density, so that bins of other widths compare.
  function histogram(f) {
    const quantiles = f.kind === "number" && (view.chart === "share" || view.chart === "auto" && skewed(f)), box = svg("svg", { width: W, height: H + 18, viewBox: `0 0 ${W} ${H + 18}`, role: "img" });
    svg("title", {}, box).textContent = "Distribution of " + f.name;
    const parts = f.stats.map((s, i) => { const of = spread(f, s); return of && { s: of, i, b: quantiles ? of.share : of.even }; }).filter(Boolean);
    if (!parts.length) { svg("text", { x: 0, y: H / 2 }, box).textContent = "no values"; return box; }
    let lo = Math.min(...parts.map(p => p.s.min)), hi = Math.max(...parts.map(p => p.s.max)), cut = "", cutLow = "";
    if (quantiles) {
      // A far tail would press everything else against the edge: show the body, and say where the tail ends.
      const inner = parts.map(p => [p.b[0][1], p.b[p.b.length - 1][0]]);
      const a = Math.min(...inner.map(p => p[0])), z = Math.max(...inner.map(p => p[1])), body = z - a;
      if (body > 0 && hi - z > body) { cut = number(hi); hi = z + body * 0.35; }
      if (body > 0 && a - lo > body) { cutLow = number(lo); lo = a - body * 0.35; }
    }
    const label = f.kind === "time" ? v => moment(v, hi - lo) : f.kind === "bytes" ? v => number(v) + " B" : number;
    const span = hi - lo || 1, x = v => hi === lo ? W / 2 : Math.max(0, Math.min(W, (v - lo) / span * W));
    for (const p of parts) {
      p.total = p.b.reduce((t, b) => t + b[2], 0) || 1;
      p.d = p.b.map(([l, h, c]) => h > l ? c / p.total / ((h - l) / span) : 0);
    }
    const log = view.scale === "log", top = Math.max(...parts.flatMap(p => p.d), 1e-12);
    const floor = Math.min(...parts.flatMap(p => p.d.filter(d => d > 0)), top) / 3;
    const y = d => d <= 0 ? 0 : (log ? Math.max(0.03, Math.log(d / floor) / Math.log(top / floor)) : d / top) * (H - 6);
    const pinTop = Math.max(...parts.flatMap(p => p.b.map(([l, h, c]) => h > l ? 0 : c / p.total)), 1e-12);
    svg("line", { x1: 0, x2: W, y1: H + .5, y2: H + .5, class: "axis" }, box);
    for (const p of parts) {
      const g = svg("g", { class: "c" + p.i % 6 }, box);
      let path = "", pen = 0;
      p.b.forEach(([l, h, c], k) => {
        const tip = `${many ? sets[p.i].name + ": " : ""}${h > l ? label(l) + " to " + label(h) : label(l)}: ${whole(Math.round(c))} (${percent(c / p.total)})`;
        if (h > l) {
          const a = x(l), b = x(h), t = y(p.d[k]);
          if (many) { path += (path ? `V${H - t}` : `M${a},${H}V${H - t}`) + `H${b}`; pen = b; }
          const bar = svg("rect", many ? { x: a, y: 0, width: Math.max(.5, b - a), height: H, fill: "transparent" } : { x: a + .5, y: H - t, width: Math.max(.8, b - a - 1), height: t, class: "bar-f", rx: 1 }, g);
          svg("title", {}, bar).textContent = tip;
        } else {
          const a = x(l) + (many ? (p.i - (sets.length - 1) / 2) * 3 : 0), t = Math.max(5, c / p.total / pinTop * (H - 6));
          svg("line", { x1: a, x2: a, y1: H, y2: H - t, class: "pin" }, g);
          svg("title", {}, svg("circle", { cx: a, cy: H - t, r: 3.2, class: "pin-h" }, g)).textContent = tip;
        }
      });
      if (path) g.insertBefore(svg("path", { d: path + `V${H}`, class: "step" }), g.firstChild);
    }
    svg("text", { x: 0, y: H + 14 }, box).textContent = cutLow ? "← " + cutLow : label(lo);
    const end = svg("text", { x: W, y: H + 14, "text-anchor": "end" }, box);
    end.textContent = cut ? "… " + cut + " →" : hi === lo ? "" : label(hi);
    return box;
  }

  function tops(f, all) {
    const wrap = el("div"), grid = el("div", "tops"), order = new Map();
    for (const s of f.stats) if (s && s.text) for (const [v, c] of s.text.top) order.set(v, Math.max(order.get(v) || 0, c / Math.max(1, s.count)));
    const values = [...order.entries()].sort((a, b) => b[1] - a[1]), shown = values.slice(0, all ? 20 : 3);
    const widest = shown.length ? shown[0][1] : 1, log = view.scale === "log";
    const width = p => p <= 0 ? 0 : log ? Math.max(2, 100 + 25 * Math.log10(p / widest)) : p / widest * 100;
    for (const [v] of shown) {
      const w = el("div", "w" + (v === "" ? " empty-s" : ""), v === "" ? "empty string" : v);
      w.title = v;
      const t = el("div", "t" + (many ? " many" : "")), shares = [];
      f.stats.forEach((s, i) => {
        const hit = s && s.text && s.text.top.find(x => x[0] === v), p = hit ? hit[1] / Math.max(1, s.count) : 0;
        const bar = el("i", "c" + i % 6);
        bar.style.width = width(p) + "%";
        bar.title = `${many ? sets[i].name + ": " : ""}${hit ? whole(hit[1]) : "not among the top values"} (${percent(p)})`;
        t.appendChild(bar);
        shares.push(percent(p));
      });
      grid.append(w, t, el("div", "p", shares[0]));
    }
    if (!shown.length) wrap.appendChild(el("span", "none", "no values"));
    wrap.appendChild(grid);
    if (values.length > 3) {
      const b = el("button", "more", all ? "Show fewer" : `Show ${Math.min(20, values.length)} values`);
      b.onclick = () => wrap.replaceWith(tops(f, !all));
      wrap.appendChild(b);
    }
    return wrap;
  }

  const columns = {
    numeric: [
      ["count", s => [whole(s.count)]],
      ["missing", missing],
      ["mean", s => num(s, n => n.mean)],
      ["std dev", s => num(s, n => n.std)],
      ["zeros", s => { const p = s.numbers.zeros / Math.max(1, s.count); return [percent(p), p >= .5 ? "hot" : p >= .2 ? "mild" : s.numbers.zeros ? "" : "none"]; }],
      ["min", s => num(s, n => n.min)],
      ["median", s => num(s, n => n.median)],
      ["max", s => num(s, n => n.max)],
    ],
    categorical: [
      ["count", s => [whole(s.count)]],
      ["missing", missing],
      ["unique", s => { const of = s.text || s.bytes; return of ? [(of.estimate ? "≈ " : "") + whole(of.unique)] : ["", "none"]; }],
      ["top", s => s.text && s.text.top.length ? [s.text.top[0][0] || "empty string", "val"] : ["–", "none"]],
      ["freq top", s => s.text && s.text.top.length ? [whole(s.text.top[0][1])] : ["–", "none"]],
      ["avg length", s => { const of = s.text || s.bytes; return of && of.length ? [number(of.length)] : ["–", "none"]; }],
    ],
  };
  function missing(s) { const p = gone(s); return [percent(p), p >= .2 ? "hot" : p >= .02 ? "mild" : p ? "" : "none"]; }
  function num(s, get) { return s.count - s.numbers.odd > 0 ? [number(get(s.numbers))] : ["–", "none"]; }

  function row(f, kind) {
    const out = [], tr = el("tr", "f"), n = el("td", "n");
    const label = el("div", "name");
    // Long names break after an underscore, a dot or a dash rather than inside a word.
    f.name.split(/(?<=[_.\-])/).forEach((part, i) => label.append(...(i ? [el("wbr"), part] : [part])));
    n.appendChild(label);
    const odd = f.stats.reduce((t, s) => t + (s && s.numbers ? s.numbers.odd : 0), 0);
    const err = Math.max(0, ...f.stats.map(s => s && s.numbers ? s.numbers.error : 0));
    const type = el("div", "type", (f.stats.some(s => s && s.list) ? "list of " : "") + f.type + (odd ? ` · ${whole(odd)} NaN or infinite` : ""));
    if (err) type.title = `quantiles within ${percent(err)} of their rank`;
    n.appendChild(type);
    for (const line of more(f)) n.appendChild(el("div", "type", line));
    if (f.drift && !view.slice) {
      const line = el("div", "type"), shown = f.drift.all.filter(([name, , most]) => most !== null || name === "jensen_shannon");
      shown.forEach(([name, value, most], i) => {
        const over = most !== null && value > most;
        line.append(i ? ", " : "", name.replaceAll("_", " ") + " ", el("span", over ? "hot" : "", number(value)), most === null ? "" : ` of ${number(most)}`);
      });
      line.title = f.drift.all.map(([name, value, most]) => `${name} ${number(value)}${most === null ? "" : ", threshold " + number(most)}`).join("\n");
      n.appendChild(line);
    }
    tr.appendChild(n);
    columns[kind].forEach(([, get], k) => {
      const td = el("td");
      f.stats.forEach((s, i) => {
        const line = el("div", "v"), fits = s && (kind === "categorical" || s.numbers), [text, cls] = fits ? get(s) : ["–", "none"];
        if (many && k === 0) { const d = el("i", "dot c" + i % 6); d.title = sets[i].name; line.appendChild(d); }
        const v = el("span", cls, text);
        if (cls === "val") v.title = text;
        line.appendChild(v);
        td.appendChild(line);
      });
      tr.appendChild(td);
    });
    const g = el("td", "g " + kind), frame = el("div");
    frame.style.minHeight = "66px";
    g.appendChild(frame);
    g.draw = () => frame.replaceChildren(f.kind === "text" ? tops(f, false) : histogram(f));
    tr.appendChild(g);
    out.push(tr);
    if (f.anomalies) {
      const a = el("tr", "a"), td = el("td");
      td.colSpan = columns[kind].length + 2;
      for (const x of f.anomalies) {
        const note = el("div", "note" + (x.severity === "ERROR" ? " bad" : ""));
        note.append(el("b", "", x.severity === "ERROR" ? "Error" : "Warning"), many || x.split !== sets[0].name ? ` in ${x.split}: ` : ": ", ...marked(x.text));
        note.title = x.type;
        if (x.rows) {
          const r = el("div", "rows", "for example ");
          x.rows.forEach(([at, v], k) => r.append(k ? ", " : "", `row ${whole(at)}`, ...(v ? [" ", el("code", "", v)] : [])));
          note.appendChild(r);
        }
        td.appendChild(note);
      }
      a.appendChild(td);
      out.push(a);
    }
    return out;
  }
  // What there is to say of lists, times, words, bytes and weights, of the first dataset that has them.
  function more(f) {
    const has = key => { const s = f.stats.find(s => s && s[key]); return s && s[key]; }, out = [];
    const list = has("list"), time = has("time"), words = has("words"), bytes = has("bytes"), weighted = has("weighted"), custom = has("custom");
    if (list) out.push(`${list.values[0]} to ${whole(list.values[2])} values, ${number(list.values[1])} on average` + (list.empty ? ` · ${whole(list.empty)} empty` : ""));
    if (time) out.push(`${time.first.replace("T", " ")} to ${time.last.replace("T", " ")}` + (time.share < 1 ? ` · ${percent(time.share)} are times` : ""));
    if (words && !time) out.push(`${number(words[0])} words on average` + (words[1] >= .05 ? ` · ${percent(words[1])} sentences` : ""));
    if (bytes && bytes.formats) out.push(bytes.formats.map(([name, n]) => `${name} ${whole(n)}`).join(" · ") + (bytes.size ? `, ${bytes.size}` : ""));
    else if (bytes && bytes.foreign) out.push(`${whole(bytes.foreign)} are not UTF-8`);
    if (weighted && weighted[1]) out.push(`weighted: mean ${number(weighted[1][0])}, median ${number(weighted[1][1])}` + (weighted[0] ? `, ${percent(weighted[0])} missing` : ""));
    if (custom) for (const [name, said] of custom) out.push(`${name}: ${said}`);
    return out;
  }
  // Text between backticks as code.
  function marked(text) {
    return text.split("`").map((part, i) => i % 2 ? el("code", "", part) : document.createTextNode(part));
  }

  const seen = new IntersectionObserver(entries => {
    for (const e of entries) if (e.isIntersecting) { seen.unobserve(e.target); e.target.draw(); }
  }, { rootMargin: "400px" });
  const rows = new Map(), waiting = new Map();
  // The next rows of a table when its end comes near.
  const ends = new IntersectionObserver(entries => {
    for (const e of entries) if (e.isIntersecting && waiting.has(e.target)) waiting.get(e.target)();
  }, { rootMargin: "1200px" });
  const order = {
    score: (a, b) => b.score - a.score || a.order - b.order,
    order: (a, b) => a.order - b.order,
    name: (a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : a.order - b.order,
    missing: (a, b) => b.missing - a.missing || a.order - b.order,
    distance: (a, b) => b.distance - a.distance || a.order - b.order,
  };

  function draw() {
    let total = 0;
    waiting.clear();
    const worst = kind => Math.max(0, ...data.features.filter(f => f.numeric === (kind === "numeric")).map(f => f.score));
    const first = view.sort === "score" && worst("categorical") > worst("numeric") && worst("categorical") >= 30;
    byId("categorical").style.order = first ? -1 : 0;
    for (const kind of ["numeric", "categorical"]) {
      const section = byId(kind), of = data.features.filter(f => f.numeric === (kind === "numeric"));
      const list = of.filter(f => f.key.includes(view.search) && (view.show === "all" || f.anomalies)).sort(order[view.sort]);
      total += list.length;
      section.replaceChildren();
      if (!list.length) continue;
      const h = el("h2", "", kind === "numeric" ? "Numeric features" : "Categorical features");
      h.appendChild(el("span", "", list.length === of.length ? whole(of.length) : `${whole(list.length)} of ${whole(of.length)}`));
      const others = data.features.length - of.length;
      if (list.length > 20 && others) {
        const jump = el("a", "jump", `${whole(others)} ${kind === "numeric" ? "categorical" : "numeric"} features`);
        jump.href = kind === "numeric" ? "#categorical" : "#numeric";
        h.appendChild(jump);
      }
      const table = el("table"), head = el("tr");
      for (const label of ["feature", ...columns[kind].map(c => c[0]), kind === "numeric" ? "distribution" : "top values"]) head.appendChild(el("th", "", label));
      table.appendChild(el("thead")).appendChild(head);
      const body = el("tbody");
      table.appendChild(body);
      const scroll = el("div", "scroll"), end = el("div", "end");
      scroll.appendChild(table);
      section.append(h, scroll, end);
      let at = 0;
      const extend = all => {
        for (const f of list.slice(at, all ? undefined : at + PART)) {
          if (!rows.has(f)) rows.set(f, row(f, kind));
          for (const tr of rows.get(f)) {
            body.append(tr);
            tr.querySelectorAll("td.g").forEach(g => { seen.unobserve(g); seen.observe(g); });
          }
        }
        at = all ? list.length : at + PART;
        if (at >= list.length) { ends.unobserve(end); waiting.delete(end); } else { ends.unobserve(end); ends.observe(end); }
      };
      waiting.set(end, extend);
      extend();
    }
    byId("empty").hidden = total > 0;
  }

  // Correlations as a matrix, the strongest pairs first in words; lifts as a table each.
  function pairs() {
    const { names, r, lifts } = data.pairs, section = byId("pairs"), n = names.length, C = n > 30 ? 16 : 22, L = 170, T = 116;
    if (r.length) {
      const h = el("h2", "", "Correlations");
      h.appendChild(el("span", "", `${whole(n)} numeric features`));
      const box = svg("svg", { width: L + n * C + 90, height: T + n * C + 8, role: "img" }), at = new Map();
      let k = 0;
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) at.set(i * n + j, r[k++]);
      names.forEach((name, i) => {
        const short = name.length > 24 ? name.slice(0, 23) + "…" : name;
        svg("text", { x: L - 8, y: T + i * C + C * .68, "text-anchor": "end" }, box).textContent = short;
        svg("text", { transform: `translate(${L + i * C + C * .62},${T - 8}) rotate(-55)` }, box).textContent = short;
        for (let j = 0; j < n; j++) {
          const [v, count] = i === j ? [1, 0] : at.get(Math.min(i, j) * n + Math.max(i, j));
          const cell = svg("rect", { x: L + j * C + .5, y: T + i * C + .5, width: C - 1, height: C - 1, rx: 2, class: "cell " + (i === j ? "self" : v < 0 ? "c1" : "c0"), "fill-opacity": i === j ? 1 : v === null ? 0 : Math.max(.04, Math.abs(v)) }, box);
          svg("title", {}, cell).textContent = i === j ? name : `${name} and ${names[j]}: ${v === null ? "does not vary" : v.toFixed(3)} (${whole(count)} rows)`;
        }
      });
      const scroll = el("div", "scroll matrix"), list = el("div", "strong");
      const ranked = [...at].filter(([, [v]]) => v !== null).sort((a, b) => Math.abs(b[1][0]) - Math.abs(a[1][0])).slice(0, 12);
      list.appendChild(el("h3", "", "Strongest"));
      for (const [key, [v]] of ranked) {
        const line = el("div"), bar = el("i", v < 0 ? "c1" : "c0");
        bar.style.width = Math.abs(v) * 90 + "px";
        line.append(el("b", "", (v < 0 ? "−" : "+") + Math.abs(v).toFixed(2)), bar, el("span", "", `${names[Math.floor(key / n)]} · ${names[key % n]}`));
        list.appendChild(line);
      }
      scroll.append(box, list);
      section.append(h, scroll);
    }
    if (lifts && lifts.length) {
      const h = el("h2", "", `With ${lifts[0].label}`);
      h.appendChild(el("span", "", "lift: how many times more often than if neither told of the other"));
      const grid = el("div", "lifts");
      for (const lift of lifts) {
        const card = el("div", "scroll lift"), table = el("table"), head = el("tr"), body = el("tbody");
        const title = el("h3", "", lift.feature);
        title.appendChild(el("span", "", `${number(lift.bits)} bits`));
        head.append(el("th", "", ""), el("th", "", "rows"), ...lift.labels.map(([name]) => el("th", "", name)));
        for (const [value, count, all] of lift.values.slice(0, 8)) {
          const tr = el("tr", "f");
          tr.append(el("td", "val", value === "" ? "empty string" : value), el("td", "sub", whole(count)));
          for (const x of all) {
            const td = el("td", "", x.toFixed(2)), strength = Math.min(1, Math.abs(Math.log(Math.max(x, .05))) / 1.6);
            td.style.background = `color-mix(in srgb, var(${x < 1 ? "--c1" : "--c0"}) ${Math.round(strength * 34)}%, transparent)`;
            tr.appendChild(td);
          }
          body.appendChild(tr);
        }
        table.append(el("thead"), body);
        table.firstChild.appendChild(head);
        card.append(title, table);
        grid.appendChild(card);
      }
      section.append(h, grid);
    }
  }

  byId("search").oninput = e => { view.search = e.target.value.trim().toLowerCase(); draw(); };
  const sort = byId("sort");
  sort.onchange = () => { view.sort = sort.value; draw(); };
  const slice = byId("slice");
  if (data.slices && data.slices.shown.length) {
    const groups = new Map(), known = new Set();
    for (const s of data.slices.shown) {
      if (known.has(s.name)) continue;
      known.add(s.name);
      if (!groups.has(s.family)) { groups.set(s.family, el("optgroup")); groups.get(s.family).label = s.family; }
      const option = el("option", "", `${s.name} (${whole(s.rows)})`);
      option.value = s.name;
      groups.get(s.family).appendChild(option);
    }
    slice.append(...groups.values());
    slice.onchange = () => { view.slice = slice.value; rows.clear(); choose(); draw(); };
  } else slice.parentNode.remove();
  if (!many && !data.slices) sort.querySelector("[value=distance]").remove();
  if (!data.features.some(f => f.anomalies)) byId("show").remove();
  for (const name of ["show", "chart", "scale"]) {
    const group = byId(name);
    if (group) group.onclick = e => {
      if (!e.target.dataset.v) return;
      view[name] = e.target.dataset.v;
      group.querySelectorAll("button").forEach(b => b.classList.toggle("on", b === e.target));
      draw();
    };
  }
  addEventListener("beforeprint", () => { waiting.forEach(extend => extend(true)); document.querySelectorAll("td.g").forEach(g => g.draw()); });
  choose();
  draw();
  if (data.pairs) pairs();
})();
