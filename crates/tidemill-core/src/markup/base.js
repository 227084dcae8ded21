"use strict";
// What the scripts of all pages begin with.
const page = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const el = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const svg = (tag, attrs, parent) => {
    const e = document.createElementNS(SVG, tag);
    for (const k in attrs) e.setAttribute(k, attrs[k]);
    if (parent) parent.appendChild(e);
    return e;
  };
  const whole = x => Math.round(x).toLocaleString("en-US");
  const percent = p => p === 0 ? "0 %" : p < 0.0001 ? "< 0.01 %" : +(p * 100).toFixed(p < 0.1 ? 2 : 1) + " %";
  // A tooltip of our own for everything with `data-tip`: under the pointer, under a finger, and for what has the focus.
  const tip = document.body.appendChild(el("div", "tip"));
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  const showTip = (target, x, y) => {
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(scrollX + 6, Math.min(scrollX + document.documentElement.clientWidth - w - 6, x - w / 2)) + "px";
    tip.style.top = (y - h - 12 > scrollY ? y - h - 12 : y + 18) + "px";
  };
  addEventListener("pointermove", e => {
    const target = e.target.closest && e.target.closest("[data-tip]");
    if (target) showTip(target, e.pageX, e.pageY); else tip.hidden = true;
  });
  addEventListener("focusin", e => {
    const target = e.target.closest("[data-tip]");
    if (!target || !target.matches(":focus-visible")) return;
    const r = target.getBoundingClientRect();
    showTip(target, r.left + r.width / 2 + scrollX, r.top + scrollY);
  });
  addEventListener("focusout", () => { tip.hidden = true; });
  addEventListener("keydown", e => { if (e.key === "Escape") tip.hidden = true; });
  const th = (text, cls, scope) => { const e = el("th", cls, text); e.scope = scope || "col"; return e; };
  // One of several buttons is on, for the eye and for screen readers.
  const press = (group, button) => group.querySelectorAll("button").forEach(b => { b.classList.toggle("on", b === button); b.setAttribute("aria-pressed", b === button); });
  return { th, press, data: JSON.parse(document.getElementById("data").textContent), byId: id => document.getElementById(id), el, svg, whole, percent };
})();
