(() => {
  const { data, byId, el, svg, th, press, whole, percent } = page;
  const binary = data.task === "binary", compared = Boolean(data.baseline);
  const names = ["candidate", "baseline"], models = [data.curves, data.baseline].filter(Boolean);
  const number = x => {
    if (x === null || x === undefined) return "–";
    const a = Math.abs(x);
    if (a === 0) return "0";
    if (a >= 1e15 || a < 1e-4) return x.toExponential(2);
    if (a >= 1000) return x.toLocaleString("en-US", { maximumFractionDigits: a >= 1e5 ? 0 : 1 });
    return String(+x.toPrecision(4));
  };
  const fixed = x => {
    const a = Math.abs(x);
    return x === null || x === undefined ? "–" : a >= 1000 || (x && a < 1e-5) ? number(x) : x.toFixed(a >= 10 ? 2 : x && a < .001 ? 5 : 4);
  };
  const signed = x => (x > 0 ? "+" : x < 0 ? "−" : "") + fixed(Math.abs(x));

  // Round steps for an axis: about `n` of them.
  function ticks(lo, hi, n) {
    const raw = (hi - lo) / n || 1, mag = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].find(s => s * mag >= raw * .999) * mag;
    const out = [];
    for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-6; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
    return out;
  }
  // A tick's text without the dust of floating point.
  const tick = v => number(+v.toPrecision(6));

  const cards = [];
  // A card with a plot that is drawn again when its width changes, and answers the pointer.
  function card(title, read, plot, wide) {
    const box = el("div", "chart" + (wide ? " pair" : "")), head = el("h3", "", title), line = el("div", "read"), frame = el("div");
    box.append(head, line, frame);
    byId("charts").appendChild(box);
    const rest = () => line.replaceChildren(...[].concat(read()));
    const c = { draw() { frame.replaceChildren(plot(frame.clientWidth || 300, line, rest)); rest(); } };
    cards.push(c);
    return c;
  }
  function axes(W, H, x0, x1, y0, y1, xTitle, yTitle, title, shares, root) {
    const L = 54, R = 8, T = 8, B = 34, box = svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
    const x = v => L + (v - x0) / (x1 - x0 || 1) * (W - L - R), bend = root ? Math.sqrt : v => v;
    const y = v => H - B - bend((v - y0) / (y1 - y0 || 1)) * (H - B - T);
    // On a square-root scale one bin full of easy rows does not hide the others.
    const marks = root ? [0, .001, .005, .02, .05, .1, .25, .5, 1].filter(v => v <= y1).filter((v, i, all) => !i || i === all.length - 1 || y(0) - y(v) > 24 && y(v) - y(all[all.length - 1]) > 20) : ticks(y0, y1, 4);
    for (const v of marks) {
      svg("line", { x1: L, x2: W - R, y1: y(v), y2: y(v), class: "axis" }, box);
      svg("text", { x: L - 7, y: y(v) + 4, "text-anchor": "end" }, box).textContent = shares ? tick(v * 100) + " %" : tick(v);
    }
    for (const v of ticks(x0, x1, W > 420 ? 8 : 4)) svg("text", { x: x(v), y: H - B + 15, "text-anchor": "middle" }, box).textContent = tick(v);
    svg("text", { x: (L + W - R) / 2, y: H - 3, "text-anchor": "middle" }, box).textContent = xTitle;
    const up = svg("text", { x: 0, y: 0, transform: `translate(9 ${(T + H - B) / 2}) rotate(-90)`, "text-anchor": "middle" }, box);
    up.textContent = yTitle;
    return { box, x, y, L, R, T, B, W, H };
  }
  const path = (pts, a) => pts.map(([u, v], i) => `${i ? "L" : "M"}${a.x(u).toFixed(1)},${a.y(v).toFixed(1)}`).join("");
  const key = (index, text) => { const k = el("span", "key"); k.append(el("i", "dot c" + index), text); return k; };
  const H = 236;

  // Lines of every model over the same axes; the pointer finds the nearest point of any.
  function lines(title, get, axis, say, options) {
    const o = options || {};
    return (W, line, rest) => {
      const a = axes(W, H, axis[0], axis[1], axis[2], axis[3], axis[4], axis[5], title);
      if (o.diagonal) { const d = [Math.max(axis[0], axis[2]), Math.min(axis[1], axis[3])]; svg("line", { x1: a.x(d[0]), y1: a.y(d[0]), x2: a.x(d[1]), y2: a.y(d[1]), class: "diag" }, a.box); }
      if (o.level !== undefined) svg("line", { x1: a.x(axis[0]), x2: a.x(axis[1]), y1: a.y(o.level), y2: a.y(o.level), class: "diag" }, a.box);
      const sets = models.map(m => get(m));
      for (let i = sets.length - 1; i >= 0; i--) {
        svg("path", { d: path(sets[i], a), class: "curve c" + i }, a.box);
        if (o.dots) for (const p of sets[i]) svg("circle", { cx: a.x(p[0]), cy: a.y(p[1]), r: 3.4, class: "point c" + i }, a.box);
      }
      if (o.mark) { const p = o.mark(); if (p) svg("circle", { cx: a.x(p[0]), cy: a.y(p[1]), r: 5, class: "mark" }, a.box); }
      const ring = svg("circle", { r: 5, class: "hover", visibility: "hidden" }, a.box);
      a.box.onpointermove = e => {
        const r = a.box.getBoundingClientRect(), px = e.clientX - r.left, py = e.clientY - r.top;
        let best = null, far = 900;
        sets.forEach((pts, i) => pts.forEach((p, k) => {
          const d = (a.x(p[0]) - px) ** 2 + (a.y(p[1]) - py) ** 2;
          if (d < far) { far = d; best = [i, k, p]; }
        }));
        ring.setAttribute("visibility", best ? "visible" : "hidden");
        if (!best) return rest();
        ring.setAttribute("cx", a.x(best[2][0])); ring.setAttribute("cy", a.y(best[2][1]));
        line.replaceChildren(compared ? key(best[0], say(best[2])) : say(best[2]));
      };
      a.box.onpointerleave = () => { ring.setAttribute("visibility", "hidden"); rest(); };
      return a.box;
    };
  }
  const at = m => data.metrics.findIndex(x => x.key === m);
  const overall = m => [data.overall.v[at(m)], data.overall.b ? data.overall.b[at(m)] : null];
  const reads = (m, title) => () => {
    const [v, b] = overall(m);
    return [`${title} ${number(v)}` + (compared && b !== null ? `, baseline ${number(b)}` : "")];
  };

  // --- binary: ROC, precision and recall, calibration, scores, and a threshold through all of them
  const roc = data.curves.roc, pr = data.curves.pr, hist = data.curves.hist;
  const positives = data.positives, negatives = data.total - positives;
  // Where the slider can stop: the points of the curve, and between them the judged threshold with the judged figures.
  const stops = roc.slice(1).map(([t, fpr, tpr]) => ({ t, fpr, tpr }));
  const judgedAt = data.judged ? stops.filter(s => s.t > data.decision).length : -1;
  if (judgedAt >= 0) stops.splice(judgedAt, 0, { t: data.decision, ...data.judged, judged: true });
  let chosen = Math.max(0, judgedAt);
  const state = () => {
    const s = stops[chosen], tp = s.tpr * positives, fp = s.fpr * negatives, called = tp + fp;
    const of = { tp, fp, fn: positives - tp, tn: negatives - fp, precision: called ? tp / called : null, f1: 2 * tp / (2 * tp + fp + positives - tp), accuracy: (tp + negatives - fp) / data.total, positive_rate: called / data.total };
    return { ...of, ...s };
  };
  function histogramScores(W) {
    const sums = [3, 2].map(k => hist.reduce((s, b) => s + b[k], 0) || 1);
    const top = Math.max(...hist.flatMap(b => [b[3] / sums[0], b[2] / sums[1]]));
    const a = axes(W, H, 0, 1, 0, top * 1.04, "score", "share of the class", "Scores by label", true, true);
    [[2, 1, 5], [3, 0, 2]].forEach(([k, s, colour]) => {
      const g = svg("g", { class: "c" + colour }, a.box);
      let d = `M${a.x(hist[0][0])},${a.y(0)}`;
      for (const b of hist) d += `V${a.y(b[k] / sums[s]).toFixed(1)}H${a.x(b[1]).toFixed(1)}`;
      svg("path", { d: d + `V${a.y(0)}`, class: "step" }, g);
    });
    for (const b of hist) {
      const r = svg("rect", { x: a.x(b[0]), y: a.T, width: a.x(b[1]) - a.x(b[0]), height: H - a.T - a.B, fill: "transparent" }, a.box);
      r.dataset.tip = `${number(b[0])} to ${number(b[1])}\n${whole(b[3])} labelled 1, ${whole(b[2])} labelled 0`;
    }
    if (roc.length) { const t = Math.min(1, state().t); svg("line", { x1: a.x(t), x2: a.x(t), y1: a.T, y2: H - a.B, class: "cut" }, a.box); }
    return a.box;
  }
  function calibrationAxis(low0) {
    const all = models.flatMap(m => m.cal.flatMap(b => [b[1], b[2]]));
    if (!all.length) return [0, 1, 0, 1];
    let lo = low0 ? 0 : Math.min(...all), hi = Math.max(...all);
    if (low0) hi = hi > .5 ? 1 : ticks(0, hi * 1.05, 4).pop() + (hi * 1.05 > ticks(0, hi * 1.05, 4).pop() ? ticks(0, hi * 1.05, 4)[1] || hi : 0);
    else { const pad = (hi - lo || 1) * .06; lo -= pad; hi += pad; }
    return [lo, hi, lo, hi];
  }
  function histogramErrors(W) {
    const total = hist.reduce((s, b) => s + b[2], 0) || 1, top = Math.max(...hist.map(b => b[2] / total));
    let lo = hist[0][0], hi = hist[hist.length - 1][1];
    if (lo === hi) { lo -= 1; hi += 1; }
    const a = axes(W, H, lo, hi, 0, top * 1.04, "prediction minus label", "share of rows", "Errors", true);
    const draw = (bins, cls) => {
      const sum = bins.reduce((s, b) => s + b[2], 0) || 1, same = bins.length > 1;
      let d = "";
      for (const b of bins) {
        const l = same ? b[0] : b[0] - (hi - lo) / 100, r = same ? b[1] : b[1] + (hi - lo) / 100;
        d += (d ? "" : `M${a.x(l)},${a.y(0)}`) + `V${a.y(b[2] / sum).toFixed(1)}H${a.x(r).toFixed(1)}`;
      }
      svg("path", { d: d + `V${a.y(0)}`, class: "step" }, svg("g", { class: cls }, a.box));
    };
    draw(hist, "c0");
    if (lo < 0 && hi > 0) svg("line", { x1: a.x(0), x2: a.x(0), y1: a.T, y2: H - a.B, class: "cut" }, a.box);
    for (const b of hist) {
      const r = svg("rect", { x: a.x(b[0]), y: a.T, width: Math.max(1, a.x(b[1]) - a.x(b[0])), height: H - a.T - a.B, fill: "transparent" }, a.box);
      r.dataset.tip = `${number(b[0])} to ${number(b[1])}\n${whole(b[2])} rows (${percent(b[2] / total)})`;
    }
    return a.box;
  }

  function panel() {
    const box = byId("threshold"), left = el("div"), middle = el("table", "confusion"), right = el("div", "rates"), big = el("div", "at"), note = el("p");
    const slide = el("input"), back = el("button", "more", "Back to the judged threshold");
    slide.type = "range"; slide.min = 1; slide.max = stops.length; slide.step = 1;
    slide.setAttribute("aria-label", "Decision threshold");
    back.type = "button";
    left.append(el("h3", "", "Decision threshold"), big, slide, note);
    if (judgedAt >= 0) left.appendChild(back);
    box.append(left, middle, right);
    const show = () => {
      const s = state();
      slide.value = stops.length - chosen;
      slide.setAttribute("aria-valuetext", fixed(s.t) + (s.judged ? ", as judged" : ""));
      big.replaceChildren(s.judged ? String(s.t) : fixed(s.t), el("span", "", s.judged ? "as judged" : ""));
      note.textContent = s.judged ? "Rows that score more than this are called positive." : "Rows that score this or more are called positive." + (judgedAt < 0 ? "" : ` Judged at ${data.decision}.`);
      back.style.visibility = s.judged ? "hidden" : "visible";
      const head = el("tr"), thead = el("thead"), body = el("tbody");
      head.appendChild(el("td"));
      for (const t of ["called positive", "called negative"]) head.appendChild(th(t));
      thead.appendChild(head);
      for (const [label, cells] of [["label 1", [["true positives", s.tp, 1], ["false negatives", s.fn, 0]]], ["label 0", [["false positives", s.fp, 0], ["true negatives", s.tn, 1]]]]) {
        const tr = el("tr");
        tr.appendChild(th(label, "", "row"));
        for (const [name, n, right] of cells) { const td = el("td", right ? "right" : "", whole(n)); td.appendChild(el("span", "", name)); tr.appendChild(td); }
        body.appendChild(tr);
      }
      middle.replaceChildren(thead, body);
      const values = [["precision", s.precision], ["recall", s.tpr], ["F1", s.f1], ["accuracy", s.accuracy], ["false positive rate", s.fpr], ["called positive", s.positive_rate]];
      right.replaceChildren(...values.map(([name, v]) => { const d = el("div"); d.append(el("b", "", fixed(v)), el("span", "", name)); return d; }));
    };
    const go = to => { chosen = to; show(); cards.forEach(c => c.draw()); };
    slide.oninput = () => go(stops.length - slide.value);
    back.onclick = () => { go(judgedAt); slide.focus(); };
    show();
  }

  if (binary && roc.length > 1) {
    if (judgedAt < 0) stops.forEach((s, i) => { if (s.t > .5) chosen = i; });
    const [auc] = overall("auc");
    card("ROC", reads("auc", "AUC"), lines("ROC curve", m => m.roc.map(p => [p[1], p[2], p[0]]), [0, 1, 0, 1, "false positive rate", "true positive rate"],
      p => `FPR ${number(p[0])}, TPR ${number(p[1])}` + (p[2] === null ? "" : ` at ${number(p[2])}`), { diagonal: auc !== null, mark: () => { const s = state(); return [s.fpr, s.tpr]; } }));
    card("Precision and recall", reads("pr_auc", "PR-AUC"), lines("Precision-recall curve", m => m.pr.map(p => [p[1], p[2], p[0]]), [0, 1, 0, 1, "recall", "precision"],
      p => `recall ${number(p[0])}, precision ${number(p[1])} at ${number(p[2])}`, { level: positives / data.total, mark: () => { const s = state(); return s.tp + s.fp ? [s.tpr, s.tp / (s.tp + s.fp)] : null; } }));
  }
  if (data.curves.cal.length) {
    const axis = calibrationAxis(binary);
    card("Calibration", reads("calibration", "prediction / label"), lines("Calibration", m => m.cal.map(b => [b[1], b[2], b[0]]), [...axis, "mean prediction", "mean label"],
      p => `predicted ${number(p[0])}, true ${number(p[1])}, ${whole(p[2])} rows`, { diagonal: true, dots: true }), !binary);
  }
  if (hist.length && binary) card("Scores by label", () => [key(2, "label 1"), key(5, "label 0")], histogramScores);
  if (hist.length && !binary) card("Errors", () => ["prediction minus label, from the 0.5 % to the 99.5 % quantile"], histogramErrors, true);
  if (binary && roc.length > 1) panel();
  const redraw = () => cards.forEach(c => c.draw());
  redraw();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });

  // --- slices
  if (!data.slices.length) return;
  byId("slices").hidden = false;
  const view = { search: "", family: -1, rows: 0, metric: data.first, against: "overall", sort: "worst", down: true, all: false };
  const SHOWN = 40, BAR = 116;
  const withBaseline = data.slices.some(s => s.b);
  data.slices.forEach((s, i) => { s.order = i; s.key = s.n.toLowerCase(); });

  // How much better the slice is than what it is compared with, and the difference as it stands.
  function difference(s) {
    const m = data.metrics[view.metric], v = s.v[view.metric], ref = view.against === "baseline" ? s.b && s.b[view.metric] : data.overall.v[view.metric];
    if (v === null || ref === null || ref === undefined) return null;
    const d = v - ref, gain = m.to !== undefined ? Math.abs(ref - m.to) - Math.abs(v - m.to) : d * m.better;
    return { d, gain, neutral: m.to === undefined && m.better === 0 };
  }
  function bar(s, widest) {
    const d = difference(s), box = svg("svg", { width: BAR + 58, height: 16, role: "img", "aria-label": d ? signed(d.d) : "unknown" });
    svg("line", { x1: BAR / 2, x2: BAR / 2, y1: 0, y2: 16, class: "axis" }, box);
    const text = svg("text", { x: BAR + 58, y: 12, "text-anchor": "end" }, box);
    if (!d) { text.textContent = "–"; return box; }
    const w = Math.min(1, Math.abs(d.d) / widest) * (BAR / 2 - 2);
    svg("rect", { x: d.d < 0 ? BAR / 2 - w : BAR / 2, y: 3.5, width: Math.max(w, .5), height: 9, rx: 1.5, class: d.neutral || d.gain === 0 ? "other" : d.gain < 0 ? "worse" : "better" }, box);
    text.textContent = signed(d.d);
    return box;
  }
  const value = (s, k) => k === "n" ? s.key : k === "r" ? s.r : k === "d" ? (difference(s) || {}).d : s.v[k];
  function order(a, b) {
    if (view.sort === "worst") { const x = difference(a), y = difference(b); return !x || !y ? !x - !y : x.neutral ? Math.abs(y.d) - Math.abs(x.d) : x.gain - y.gain || a.order - b.order; }
    const x = value(a, view.sort), y = value(b, view.sort), none = v => v === null || v === undefined;
    if (none(x) || none(y)) return none(x) - none(y);
    return (x < y ? -1 : x > y ? 1 : 0) * (view.down ? -1 : 1) || a.order - b.order;
  }
  function head() {
    const tr = el("tr");
    const columns = [["n", "slice"], ["r", "rows"], ...data.metrics.map((m, i) => [i, m.title, m.about]), ["d", view.against === "baseline" ? "change from baseline" : "difference from all"]];
    for (const [k, title, about] of columns) {
      const cell = th("", k === "d" ? "bar" : ""), b = el("button", "", title);
      b.type = "button";
      if (about) b.dataset.tip = about;
      const on = view.sort === k || (view.sort === "worst" && k === "d");
      if (on) { cell.classList.add("on", view.sort === "worst" || view.down ? "down" : "up"); cell.setAttribute("aria-sort", view.down ? "descending" : "ascending"); }
      b.onclick = () => { view.down = view.sort === k ? !view.down : k !== "n"; view.sort = k; draw(); };
      cell.appendChild(b);
      tr.appendChild(cell);
    }
    byId("table").tHead.replaceChildren(tr);
  }
  function row(s, widest, cls) {
    const tr = el("tr", "f" + cls);
    tr.append(th(cls ? "all rows" : s.n, "n", "row"), el("td", "sub", whole(s.r)));
    s.v.forEach((v, i) => {
      const td = el("td", (v === null ? "none" : "") + (i === view.metric ? " on" : ""), fixed(v));
      if (s.b && s.b[i] !== null) td.dataset.tip = `baseline ${fixed(s.b[i])}`;
      tr.appendChild(td);
    });
    const td = el("td", "bar");
    if (!cls || view.against === "baseline") td.appendChild(bar(s, widest));
    tr.appendChild(td);
    return tr;
  }
  function draw() {
    const list = data.slices.filter(s => s.key.includes(view.search) && (view.family < 0 || s.f === view.family) && s.r >= view.rows).sort(order);
    const sizes = list.map(difference).filter(Boolean).map(d => Math.abs(d.d)).sort((a, b) => a - b);
    // One slice far out would press all others to nothing: the scale ends at the 98th percentile.
    const widest = sizes[Math.max(0, Math.ceil(sizes.length * .98) - 1)] || 1;
    const shown = view.all ? list : list.slice(0, SHOWN);
    head();
    byId("table").tBodies[0].replaceChildren(row(data.overall, widest, " all"), ...shown.map(s => row(s, widest, "")));
    byId("count").textContent = list.length === data.slices.length ? whole(list.length) : `${whole(list.length)} of ${whole(data.slices.length)}`;
    byId("empty").hidden = list.length > 0;
    const more = byId("more");
    more.hidden = list.length <= SHOWN;
    more.textContent = view.all ? "Show fewer" : `Show all ${whole(list.length)} slices`;
    more.onclick = () => { view.all = !view.all; draw(); };
  }
  const option = (select, v, text, on) => { const o = el("option", "", text); o.value = v; o.selected = Boolean(on); select.appendChild(o); };
  const family = byId("family"), rows = byId("rows"), metric = byId("metric");
  option(family, -1, "all columns");
  data.families.forEach((f, i) => option(family, i, f));
  if (data.families.length < 2) family.parentElement.hidden = true;
  const steps = [0, 30, 100, 300, 1000, 10000].filter(n => !n || data.slices.some(s => s.r >= n));
  view.rows = steps.includes(30) && data.slices.filter(s => s.r >= 30).length > 4 ? 30 : 0;
  steps.forEach(n => option(rows, n, n ? `${whole(n)} or more` : "any number", n === view.rows));
  data.metrics.forEach((m, i) => option(metric, i, m.title, i === view.metric));
  byId("search").oninput = e => { view.search = e.target.value.trim().toLowerCase(); draw(); };
  family.onchange = () => { view.family = +family.value; draw(); };
  rows.onchange = () => { view.rows = +rows.value; draw(); };
  metric.onchange = () => { view.metric = +metric.value; view.sort = "worst"; draw(); };
  const against = byId("against");
  if (!withBaseline) against.remove();
  else against.onclick = e => {
    if (!e.target.dataset.v) return;
    view.against = e.target.dataset.v;
    press(against, e.target);
    draw();
  };
  addEventListener("beforeprint", () => { view.all = true; draw(); });
  draw();
})();
