// Small parts that viewer and chat share. Names, metadata, questions and answers become text nodes and nothing else:
// no markup is ever made from what comes from a file or a person.

const svgNS = "http://www.w3.org/2000/svg";

/** An element with properties, attributes and children; texts become text nodes. */
function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "style") el.style.cssText = value;
    else if (key in el && key !== "list" && key !== "role") el[key] = value;
    else el.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) el.append(child);
  return el;
}

/** An icon of one path on a grid of 24. */
function icon(path) {
  const svg = document.createElementNS(svgNS, "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 24 24", width: 18, height: 18, fill: "none", stroke: "currentColor",
    "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" })) svg.setAttribute(k, v);
  const line = document.createElementNS(svgNS, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const ICONS = {
  move: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  box: "M5 6h14v12H5z",
  polygon: "M12 4l8 6-3 9H7L4 10z",
  line: "M5 19L19 5M3.5 20.5h3v-3h-3zM17.5 6.5h3v-3h-3z",
  point: "M12 5v14M5 12h14",
  lasso: "M5 13c-3-4 1-9 7-9s10 4 8 8-8 6-12 4-3 3-1 5",
  plus: "M12 6v12M6 12h12",
  minus: "M6 12h12",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  layers: "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  bin: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13",
  undo: "M9 7L4 12l5 5M4 12h11a5 5 0 0 1 0 10h-2",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  help: "M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.5-1.1 1-1.1 1.8M12 17v.2",
};

function button(name, title, act, more = {}) {
  return h("button", { type: "button", class: "mnb-b", title, "aria-label": title, onclick: act, ...more }, icon(ICONS[name]));
}

const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

/** A number in about four digits, without needless zeros. */
function said(v) {
  if (v === null || v === undefined || !isFinite(v)) return "–";
  if (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e9)) return v.toExponential(2);
  return Number(v.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** The largest 1, 2 or 5 times a power of ten that is not above a value. */
function niceBelow(v) {
  const power = 10 ** Math.floor(Math.log10(v));
  return (v / power >= 5 ? 5 : v / power >= 2 ? 2 : 1) * power;
}

function rgbOf(hex) {
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

/** Hands a file to the person. */
function download(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes]));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Hides the still picture of a widget while it is alive; gives the way to show it again. */
function hideStill(name) {
  if (!/^mnb-[0-9a-f]+$/.test(name)) return () => {};
  const rule = h("style");
  rule.textContent = `.jp-OutputArea-child:has(#${name}) + .jp-OutputArea-child { display: none; }`;
  document.head.append(rule);
  return () => rule.remove();
}

/** Keys typed inside are meant for us, not for shortcuts of the notebook. */
function ownKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const kind of ["keydown", "keyup", "keypress"]) el.addEventListener(kind, (e) => e.stopPropagation());
}
