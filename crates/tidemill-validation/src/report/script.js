(() => {
  const { data, byId, el, svg, th, press, whole, percent } = page;
  const view = { search: "", sort: "score", show: "all", chart: "auto", scale: "linear", slice: "" };
  const W = 270, H = 48, TOP = 12, PART = 80;
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

  // Round numbers between the ends of an axis: about three.
  function ticks(lo, hi) {
    const raw = (hi - lo) / 4 || 1, mag = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].find(k => k * mag >= raw * .999) * mag, out = [];
    for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-6 && out.length < 12; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : +v.toPrecision(9));
    return out;
  }
  const wide = text => String(text).length * 5.9;

  // One histogram for all datasets, on a common axis. Bars are densities, so that bins of other widths compare; a value
  // with a bin of its own is a pin, as high as its share.
  function histogram(f) {
    const quantiles = f.kind === "number" && (view.chart === "share" || view.chart === "auto" && skewed(f)), full = TOP + H + 18;
    const box = svg("svg", { width: W, height: full, viewBox: `0 ${-TOP} ${W} ${full}`, role: "img", "aria-label": spoken(f) });
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
    svg("line", { x1: 0, x2: W, y1: H + .5, y2: H + .5, class: "axis" }, box);
    const marks = [];
    for (const p of parts) {
      const g = svg("g", { class: "c" + p.i % 6 }, box);
      let path = "", pen = 0;
      p.b.forEach(([l, h, c], k) => {
        const share = c / p.total, tip = `${many ? sets[p.i].name + "\n" : ""}${h > l ? label(l) + " to " + label(h) : label(l)}\n${whole(Math.round(c))} values (${percent(share)})`;
        if (h > l) {
          const a = x(l), b = x(h), t = y(p.d[k]);
          if (many) { path += (path ? `V${H - t}` : `M${a},${H}V${H - t}`) + `H${b}`; pen = b; }
          else svg("rect", { x: a + .5, y: H - t, width: Math.max(.8, b - a - 1), height: t, class: "bar-f", rx: 1 }, g);
          // The whole height answers the pointer: a low bar is hard to hit.
          svg("rect", { x: a, y: -TOP, width: Math.max(.5, b - a), height: H + TOP, fill: "transparent", "data-tip": tip }, g);
          if (!quantiles && !many) marks.push({ x: (a + b) / 2, y: H - t, share, text: percent(share) });
        } else {
          const a = x(l) + (many ? (p.i - (sets.length - 1) / 2) * 3 : 0), t = Math.max(5, share * (H - 6));
          svg("line", { x1: a, x2: a, y1: H, y2: H - t, class: "pin" }, g);
          svg("circle", { cx: a, cy: H - t, r: 3.2, class: "pin-h" }, g);
          svg("rect", { x: a - 6, y: -TOP, width: 12, height: H + TOP, fill: "transparent", "data-tip": tip }, g);
          if (share >= .05) marks.push({ x: a, y: H - t - 3, share, text: percent(share), pin: true });
        }
      });
      if (path) g.insertBefore(svg("path", { d: path + `V${H}`, class: "step" }), g.firstChild);
    }
    // The share of the highest bar and of the largest pins, where there is room.
    const said = [];
    for (const m of marks.sort((a, b) => b.share - a.share).filter((m, i) => m.pin || !i).slice(0, many ? 2 : 3)) {
      const half = wide(m.text) / 2, at = Math.max(half, Math.min(W - half, m.x));
      if (said.some(o => Math.abs(o.at - at) < o.half + half + 5)) continue;
      said.push({ at, half });
      svg("text", { x: at, y: m.y - 3.5, "text-anchor": "middle", class: "share" }, box).textContent = m.text;
    }
    const first = cutLow ? "← " + cutLow : label(lo), last = cut ? "… " + cut + " →" : hi === lo ? "" : label(hi);
    svg("text", hi > lo ? { x: 0, y: H + 14 } : { x: W / 2, y: H + 14, "text-anchor": "middle" }, box).textContent = first;
    svg("text", { x: W, y: H + 14, "text-anchor": "end" }, box).textContent = last;
    if (hi > lo && f.kind !== "time") {
      let free = wide(first) + 10;
      for (const v of ticks(lo, hi)) {
        const half = wide(label(v)) / 2;
        svg("line", { x1: x(v), x2: x(v), y1: H + .5, y2: H + 4, class: "axis" }, box);
        if (x(v) - half < free || x(v) + half > W - wide(last) - 10) continue;
        free = x(v) + half + 12;
        svg("text", { x: x(v), y: H + 14, "text-anchor": "middle" }, box).textContent = label(v);
      }
    }
    return box;
  }
  // What the picture of a histogram shows, for those who do not see it.
  function spoken(f) {
    const of = f.stats.map((s, i) => {
      const p = spread(f, s);
      if (!p) return "";
      const label = f.kind === "time" ? v => moment(v, p.max - p.min) : number;
      const pin = p.share.filter(b => b[0] === b[1]).sort((a, b) => b[2] - a[2])[0], total = p.share.reduce((t, b) => t + b[2], 0) || 1;
      return `${many ? sets[i].name + ": " : ""}${label(p.min)} to ${label(p.max)}` + (p.median === undefined ? "" : `, median ${label(p.median)}`) + (pin ? `, ${percent(pin[2] / total)} are ${label(pin[0])}` : "");
    }).filter(Boolean);
    return `Distribution of ${f.name}: ${of.join("; ") || "no values"}`;
  }

  function tops(f, all) {
    const wrap = el("div"), grid = el("div", "tops"), order = new Map();
    for (const s of f.stats) if (s && s.text) for (const [v, c] of s.text.top) order.set(v, Math.max(order.get(v) || 0, c / Math.max(1, s.count)));
    const values = [...order.entries()].sort((a, b) => b[1] - a[1]), shown = values.slice(0, all ? 20 : 3);
    const widest = shown.length ? shown[0][1] : 1, log = view.scale === "log";
    const width = p => p <= 0 ? 0 : log ? Math.max(2, 100 + 25 * Math.log10(p / widest)) : p / widest * 100;
    for (const [v] of shown) {
      const w = el("div", "w" + (v === "" ? " empty-s" : ""), v === "" ? "empty string" : v);
      w.dataset.tip = v === "" ? "empty string" : v;
      const t = el("div", "t" + (many ? " many" : "")), shares = [];
      f.stats.forEach((s, i) => {
        const hit = s && s.text && s.text.top.find(x => x[0] === v), p = hit ? hit[1] / Math.max(1, s.count) : 0;
        const bar = el("i", "c" + i % 6);
        bar.style.width = width(p) + "%";
        t.dataset.tip = (i ? t.dataset.tip + "\n" : "") + `${many ? sets[i].name + ": " : ""}${hit ? whole(hit[1]) : "not among the top values"} (${percent(p)})`;
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
    const out = [], tr = el("tr", "f"), n = th("", "n", "row");
    tr.id = "f" + f.order;
    tr.tabIndex = -1;
    const label = el("div", "name");
    // Long names break after an underscore, a dot or a dash rather than inside a word.
    f.name.split(/(?<=[_.\-])/).forEach((part, i) => label.append(...(i ? [el("wbr"), part] : [part])));
    n.appendChild(label);
    const odd = f.stats.reduce((t, s) => t + (s && s.numbers ? s.numbers.odd : 0), 0);
    const err = Math.max(0, ...f.stats.map(s => s && s.numbers ? s.numbers.error : 0));
    const type = el("div", "type", (f.stats.some(s => s && s.list) ? "list of " : "") + f.type + (odd ? ` · ${whole(odd)} NaN or infinite` : ""));
    if (err) type.dataset.tip = `quantiles within ${percent(err)} of their rank`;
    n.appendChild(type);
    for (const line of more(f)) n.appendChild(el("div", "type", line));
    if (f.alerts) {
      const line = el("div", "chips");
      for (const [kind, text] of f.alerts) {
        const chip = el("span", "chip " + (/^(empty|constant|not finite)$/.test(kind) ? "bad" : "warn"), kind);
        chip.dataset.tip = text.replaceAll("`", "");
        line.appendChild(chip);
      }
      n.appendChild(line);
    }
    if (f.drift && !view.slice) {
      if (f.drift.moved && f.drift.over) { const line = el("div", "type moved-by"); line.append(...marked(f.drift.moved)); n.appendChild(line); }
      const line = el("div", "type"), shown = f.drift.all.filter(([name, , most]) => most !== null || name.startsWith("Jensen"));
      shown.forEach(([name, value, most], i) => {
        const over = most !== null && value > most;
        line.append(i ? ", " : "", name + " ", el("span", over ? "hot" : "", number(value)), most === null ? "" : `, threshold ${number(most)}`);
      });
      line.dataset.tip = f.drift.all.map(([name, value, most]) => `${name} ${number(value)}${most === null ? "" : ", threshold " + number(most)}`).join("\n");
      n.appendChild(line);
    }
    tr.appendChild(n);
    columns[kind].forEach(([title, get], k) => {
      const td = el("td");
      td.dataset.l = title;
      f.stats.forEach((s, i) => {
        const line = el("div", "v"), fits = s && (kind === "categorical" || s.numbers), [text, cls] = fits ? get(s) : ["–", "none"];
        if (many && k === 0) { const d = el("i", "dot c" + i % 6); d.dataset.tip = sets[i].name; line.appendChild(d); }
        const v = el("span", cls, text);
        if (cls === "val") v.dataset.tip = text;
        line.appendChild(v);
        td.appendChild(line);
      });
      tr.appendChild(td);
    });
    const g = el("td", "g " + kind), frame = el("div");
    frame.style.minHeight = (f.kind === "text" ? Math.min(3, Math.max(0, ...f.stats.map(s => s && s.text ? s.text.top.length : 0))) * 21 + 8 : TOP + H + 18) + "px";
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
        note.dataset.tip = x.type;
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

  const everything = () => waiting.forEach(extend => extend(true));
  // Scrolls to a feature, whatever is filtered out now.
  function reveal(f) {
    if (!f) return;
    if (!f.key.includes(view.search) || view.show !== "all" && !f[view.show]) {
      view.search = byId("search").value = "";
      view.show = "all";
      if (byId("show")) press(byId("show"), byId("show").firstChild);
      draw();
    }
    everything();
    const [tr] = rows.get(f);
    document.querySelectorAll("tr.found").forEach(old => old.classList.remove("found"));
    tr.classList.add("found");
    tr.scrollIntoView({ block: "center" });
    tr.focus({ preventScroll: true });
  }

  function draw() {
    let total = 0;
    waiting.clear();
    const worst = kind => Math.max(0, ...data.features.filter(f => f.numeric === (kind === "numeric")).map(f => f.score));
    const first = view.sort === "score" && worst("categorical") > worst("numeric") && worst("categorical") >= 30;
    byId("categorical").style.order = first ? -1 : 0;
    for (const kind of ["numeric", "categorical"]) {
      const section = byId(kind), of = data.features.filter(f => f.numeric === (kind === "numeric"));
      const list = of.filter(f => f.key.includes(view.search) && (view.show === "all" || f[view.show])).sort(order[view.sort]);
      total += list.length;
      section.replaceChildren();
      if (!list.length) continue;
      const h = el("h2", "", kind === "numeric" ? "Numeric features" : "Categorical features");
      h.appendChild(el("span", "", list.length === of.length ? whole(of.length) : `${whole(list.length)} of ${whole(of.length)}`));
      const others = data.features.length - of.length;
      if (list.length > 20 && others) {
        const jump = el("a", "jump", `${whole(others)} ${kind === "numeric" ? "categorical" : "numeric"} features`);
        jump.href = kind === "numeric" ? "#categorical" : "#numeric";
        // All rows first: rows that are added on the way would move the place.
        jump.onclick = e => { e.preventDefault(); everything(); byId(jump.hash.slice(1)).scrollIntoView(); };
        h.appendChild(jump);
      }
      const table = el("table", "features"), head = el("tr");
      for (const label of ["feature", ...columns[kind].map(c => c[0]), kind === "numeric" ? "distribution" : "top values"]) head.appendChild(th(label));
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
      const box = svg("svg", { width: L + n * C + 90, height: T + n * C + 8, role: "img", "aria-label": `Correlations of ${n} numeric features; the strongest pairs are listed beside` }), at = new Map();
      let k = 0;
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) at.set(i * n + j, r[k++]);
      names.forEach((name, i) => {
        const short = name.length > 24 ? name.slice(0, 23) + "…" : name;
        svg("text", { x: L - 8, y: T + i * C + C * .68, "text-anchor": "end" }, box).textContent = short;
        svg("text", { transform: `translate(${L + i * C + C * .62},${T - 8}) rotate(-55)` }, box).textContent = short;
        for (let j = 0; j < n; j++) {
          const [v, count] = i === j ? [1, 0] : at.get(Math.min(i, j) * n + Math.max(i, j));
          const cell = svg("rect", { x: L + j * C + .5, y: T + i * C + .5, width: C - 1, height: C - 1, rx: 2, class: "cell " + (i === j ? "self" : v < 0 ? "c1" : "c0"), "fill-opacity": i === j ? 1 : v === null ? 0 : Math.max(.04, Math.abs(v)) }, box);
          cell.dataset.tip = i === j ? name : `${name} and ${names[j]}: ${v === null ? "does not vary" : v.toFixed(3)} (${whole(count)} rows)`;
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
        head.append(th("value"), th("rows"), ...lift.labels.map(([name]) => th(name)));
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
  for (const kind of ["alerts", "anomalies"]) if (!data.features.some(f => f[kind])) byId("show").querySelector(`[data-v=${kind}]`).remove();
  if (byId("show").children.length < 2) byId("show").remove();
  for (const name of ["show", "chart", "scale"]) {
    const group = byId(name);
    if (group) group.onclick = e => {
      if (!e.target.dataset.v) return;
      view[name] = e.target.dataset.v;
      press(group, e.target);
      draw();
    };
  }
  byId("options").onclick = e => {
    const open = byId("bar").classList.toggle("open");
    e.target.setAttribute("aria-expanded", open);
  };
  // Links to features, from the list of alerts and from other pages; `#anomalies` shows only those with some.
  const follow = () => {
    const at = /^#f(\d+)$/.exec(location.hash), only = byId("show") && byId("show").querySelector("[data-v=anomalies]");
    if (at) reveal(data.features[at[1]]);
    else if (location.hash === "#anomalies" && only) { only.click(); byId("bar").scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  // The same link twice changes no hash.
  addEventListener("click", e => { const a = e.target.closest && e.target.closest("a[href^='#f']"); if (a && a.hash === location.hash) reveal(data.features[a.hash.slice(2)]); });
  addEventListener("beforeprint", () => { everything(); document.querySelectorAll(".first details").forEach(d => { d.open = true; }); document.querySelectorAll("td.g").forEach(g => g.draw()); });
  choose();
  draw();
  if (data.pairs) pairs();
  follow();
})();
