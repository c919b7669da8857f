// Frames of `GET /v1/live`, one a second: read with `fetch`, since `EventSource` sends no `Authorization`.

import { base, headers } from "./api.js";
import { addSample, note } from "./samples.js";
import { changed, heard, hits, ruleOf, state } from "./state.js";

const AGAIN = 1000;
/** A port whose places are all taken is asked again later. */
const LATER = 10_000;

/** The sites that are counted while this page is open. @type {Set<string>} */
export const watched = new Set();

let stream = null;
let last = -Infinity;
let generation = null;
let isThere = true;

/** Says whether frames come. */
export const isLive = () => performance.now() - last < 3000;
/** Says whether the port has such frames at all. */
export const hasLive = () => isThere;

/** Counts a site while this page is open. */
export function watch(site) {
  if (!site || watched.has(site)) return;
  watched.add(site);
  changed("sites");
  // The next stream names all sites.
  stream?.abort();
  if (!stream) follow();
}

/** Reads frames for as long as the page is open. */
export async function follow() {
  while (isThere) {
    stream = new AbortController();
    const wait = state.isLocked ? AGAIN : await read(stream.signal).catch(() => AGAIN);
    if (wait === null) isThere = false;
    else if (!stream.signal.aborted) await new Promise((done) => { setTimeout(done, wait); });
  }
  stream = null;
  changed("samples");
}

/** Reads one stream, and returns after how long to open the next; `null` if there is no such route. */
async function read(signal) {
  const query = [...watched].map((site) => `watch=${encodeURIComponent(site)}`).join("&");
  const answer = await fetch(`${base}/v1/live?${query}`, { headers: headers(), signal, cache: "no-store" });
  if (!answer.ok) return [400, 404, 405].includes(answer.status) ? null : LATER;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return AGAIN;
    const events = (text + value).split("\n\n");
    text = events.pop();
    events.forEach(apply);
  }
}

/** Takes over what one event says. */
function apply(event) {
  const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
  if (!data.length) return;
  const frame = JSON.parse(data.join("\n"));
  const at = Date.parse(frame.at);
  if (!("state" in frame) || Number.isNaN(at)) return;
  [last, generation] = [performance.now(), generation ?? frame.generation];
  heard();
  for (const [id, counts] of Object.entries(frame.rules ?? {})) count(id, at, counts);
  addSample({ at, state: frame.state, active: frame.active, matched: null, hit: null, sites: frame.sites ?? {} });
  changed("counts");
  changed("samples");
  if (frame.generation !== generation || frame.state !== state.status?.state) changed("stale");
  generation = frame.generation;
}

function count(id, at, [matched, injected, shadowed, active, expires_in]) {
  const rule = ruleOf(id);
  if (!rule) return;
  Object.assign(rule.stats, { matched, injected, shadowed, active, expires_in });
  rule.read = performance.now();
  note(id, at, hits(rule));
}
