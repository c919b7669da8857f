// A chart: a sentence, a picture with names at its lines, and a table.

import { element, svg, write } from "./dom.js";

const BUCKETS = 60;
/** Space for the axes, in pixels. */
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 4, 8, 18];
/** Where a halt has its name, and the highest name of a line. */
const [HALT, HIGHEST] = [34, 12];
/** Below such a width, there is no space for whole names, and below the second for the middle of the time. */
const [NARROW, SHORT] = [160, 240];
const ROUND = [1, 1.5, 2, 3, 4, 5, 8, 10];

/**
 * @typedef {{ is: "clean" | "hit", called: string, values: (number | null)[] }} Line
 * @typedef {{ says: string, lines: Line[], seconds: number, limit?: number, unit: (value: number) => string,
 *   bands: [number, number][], halts: number[] }} Content Bands and halts are in buckets.
 */

/** Spreads samples over the buckets of a chart: the mean of what `read` returns, `null` where there is nothing. */
export function spread(samples, now, seconds, read) {
  const sums = new Array(BUCKETS).fill(0), counts = new Array(BUCKETS).fill(0);
  for (const sample of samples) {
    const value = read(sample), bucket = bucketOf(sample.at, now, seconds);
    if (value === null || value === undefined || bucket < 0) continue;
    sums[bucket] += value;
    counts[bucket] += 1;
  }
  return sums.map((sum, at) => (counts[at] ? sum / counts[at] : null));
}

/** Returns the bucket of a time. */
export const bucketOf = (at, now, seconds) =>
  Math.min(BUCKETS - 1, Math.floor(BUCKETS - 1e-9 - ((now - at) / 1000 / seconds) * BUCKETS));

/**
 * Makes a chart. `update` shows other content, `null` a sentence alone.
 * @param {string} title
 */
export function chart(title) {
  const words = document.createTextNode("");
  const picture = svg("svg", { role: "img" });
  const table = element("table", {}, element("thead"), element("tbody"));
  const details = element("details", { ontoggle: () => fill() }, element("summary", { className: "small", textContent: "As a table" }), table);
  const figure = element("figure", {}, element("figcaption", {}, element("b", { textContent: title }), words), picture, details);
  /** @type {Content | null} */
  let content = null;
  const fill = () => details.open && content && fillTable(table, content);
  const paint = () => content && draw(picture, content);
  new ResizeObserver(paint).observe(picture);
  const update = (says, next) => {
    content = next;
    write(words, says);
    picture.toggleAttribute("hidden", !next);
    details.hidden = !next;
    picture.setAttribute("aria-label", `${title}: ${says}`);
    paint();
    fill();
  };
  return { figure, update };
}

function fillTable(table, { lines, unit, seconds }) {
  const head = ["time", ...lines.map((line) => line.called)].map((textContent) => element("th", { scope: "col", textContent }));
  const rows = [0, 20, 40, BUCKETS - 1].map((at) => element("tr", {},
    element("th", { scope: "row", textContent: ago(at, seconds) }),
    ...lines.map(({ values }) => element("td", { className: "number", textContent: values[at] === null ? "none" : unit(values[at]) }))));
  table.tHead.replaceChildren(element("tr", {}, ...head));
  table.tBodies[0].replaceChildren(...rows);
}

const ago = (at, seconds) => (at === BUCKETS - 1 ? "now" : `${Math.round((1 - at / BUCKETS) * seconds)} s ago`);
const minutes = (seconds, isNarrow) => (isNarrow ? `−${seconds / 60} min` : `${seconds / 60} min ago`);

/** Returns the number above `most` at which an axis ends. */
function roundUp(most) {
  const tens = 10 ** Math.floor(Math.log10(most));
  return ROUND.find((number) => number * tens >= most * 0.999) * tens;
}

function draw(picture, { lines, limit, unit, seconds, bands, halts }) {
  const [width, height] = [picture.clientWidth || 400, picture.clientHeight || 152];
  const most = Math.max(limit ?? 0, ...lines.flatMap((line) => line.values)) || 1;
  const round = roundUp(most);
  const x = (at) => LEFT + (at / (BUCKETS - 1)) * (width - LEFT - RIGHT);
  const y = (value) => height - BOTTOM - (value / (round * 1.1)) * (height - BOTTOM - TOP);
  const text = (is, at, words, more) => Object.assign(svg("text", { class: is, ...at, ...more }), { textContent: words });
  const parts = bands.map(([from, to]) => svg("rect", { class: "band", x: x(from), y: TOP, width: Math.max(2, x(to) - x(from)), height: height - BOTTOM - TOP }));
  for (const part of [0, 0.5, 1]) {
    const at = y(round * part);
    parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }),
      text("axis", { x: LEFT - 6, y: at + 4 }, unit(round * part), { "text-anchor": "end" }));
  }
  const isNarrow = width < NARROW;
  const ticks = [[0, minutes(seconds, isNarrow), "start"], ...(width > SHORT ? [[(BUCKETS - 1) / 2, minutes(seconds / 2), "middle"]] : []), [BUCKETS - 1, "now", "end"]];
  for (const [at, words, anchor] of ticks) parts.push(text("axis", { x: x(at), y: height - 2 }, words, { "text-anchor": anchor }));
  if (limit !== undefined) {
    parts.push(svg("line", { class: "limit", x1: LEFT, x2: width - RIGHT, y1: y(limit), y2: y(limit) }),
      text("t-limit", { x: LEFT + 4, y: y(limit) - 5 }, `${isNarrow ? "" : "guard "}rail ${unit(limit)}`));
  }
  // The name of a halt stands there.
  const taken = halts.length ? [HALT] : [];
  for (const line of lines) parts.push(svg("path", { class: line.is, d: path(line.values, x, y) }), ...label(line, x, y, text, taken, height));
  for (const at of halts) parts.push(svg("line", { class: "halt", x1: x(at), x2: x(at), y1: 4, y2: height - BOTTOM }));
  // Those before it may be near: the last one has a name.
  for (const at of halts.slice(-1)) {
    parts.push(text("t-limit", { x: x(at) + (at > BUCKETS - 12 ? -5 : 5), y: HALT }, "halt", { "text-anchor": at > BUCKETS - 12 ? "end" : "start" }));
  }
  picture.replaceChildren(...parts);
}

function path(values, x, y) {
  let pen = "M";
  return values.map((value, at) => {
    const step = value === null ? "" : `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A lone value is a short line, else it could not be seen.
    const dot = step && pen === "M" && (values[at + 1] ?? null) === null ? "h2" : "";
    pen = value === null ? "M" : "L";
    return step + dot;
  }).join("");
}

/** Names a line at its end, above its last values, and not upon another name. */
function label({ is, called, values }, x, y, text, taken, height) {
  const last = values.findLastIndex((value) => value !== null);
  if (last < 0) return [];
  const top = Math.max(...values.slice(Math.max(0, last - 14), last + 1).filter((value) => value !== null));
  let at = Math.max(HIGHEST, y(top) - 7);
  while (taken.some((other) => Math.abs(other - at) < 14) && at < height - BOTTOM) at += 14;
  taken.push(at);
  return [text(`t-${is}`, { x: x(Math.max(last, 14)) - (last < values.length - 1 ? 6 : 0), y: at }, called, { "text-anchor": "end" })];
}
