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
  return { data: JSON.parse(document.getElementById("data").textContent), byId: id => document.getElementById(id), el, svg, whole, percent };
})();
