// Frames of `GET /v1/live`, one a second: read with `fetch`, since `EventSource` sends no `Authorization`.

import { base, headers } from "./api.js";
import { addSample, note } from "./samples.js";
import { changed, heard, ruleOf, state } from "./state.js";

const AGAIN = 1000;
/** A port whose places are all taken is asked again later. */
const LATER = 10_000;

/** So many sites are counted for one page, as many as the port counts for one listener. */
const MOST = 25;

/** The sites that are counted while this page is open, the latest last. @type {Set<string>} */
export const watched = new Set();

/** What comes in many pieces is drawn after so many milliseconds. */
const DRAWN = 100;
let drawing = 0;

let stream = null;
/** When the last frames came, and the time of the newest one at the service. */
let last = -Infinity, newest = 0;
let generation = null;
let isThere = true, isFull = false;

/** Says whether frames come. */
export const isLive = () => performance.now() - last < 3000;
/** Says whether the port has such frames at all. */
export const hasLive = () => isThere;

/** Says whether the port counts for as many pages as it can. */
export const isRefused = () => isFull;

/** Counts a site while this page is open. */
export function watch(site) {
  if (!site) return;
  const isKnown = watched.delete(site);
  watched.add(site);
  if (isKnown) return;
  if (watched.size > MOST) watched.delete([...watched][0]);
  changed("sites");
  // The next stream names all sites.
  stream?.abort();
  if (!stream) follow();
}

/** Reads frames for as long as the page is open, and none while nobody looks at it: a port has few places. */
export async function follow() {
  while (isThere) {
    while (document.hidden) await new Promise((done) => { document.addEventListener("visibilitychange", done, { once: true }); });
    stream = new AbortController();
    const mine = stream;
    const wait = state.isLocked ? AGAIN : await read(mine.signal).catch(() => AGAIN);
    if (wait === null) isThere = false;
    else if (!mine.signal.aborted) await new Promise((done) => { setTimeout(done, wait); });
    // What is read no more takes no place at the port.
    mine.abort();
  }
  stream = null;
  changed("samples");
}

document.addEventListener("visibilitychange", () => { if (document.hidden) stream?.abort(); });

/** Reads one stream, and returns after how long to open the next; `null` if there is no such route. */
async function read(signal) {
  const query = [...watched].map((site) => `watch=${encodeURIComponent(site)}`).join("&");
  const answer = await fetch(`${base}/v1/live?${query}`, { headers: headers(), signal, cache: "no-store" });
  isFull = answer.status === 503;
  if (!answer.ok) return [404, 405].includes(answer.status) ? null : LATER;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return AGAIN;
    const events = (text + value).split("\n\n");
    text = events.pop();
    const frames = events.map(frameOf).filter(Boolean);
    try {
      if (frames.length) show(frames);
    } catch (error) {
      reportError(error);
    }
  }
}

/** Reads a frame; `null` if the event is none. */
function frameOf(event) {
  const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
  if (!data.length) return null;
  const frame = JSON.parse(data.join("\n"));
  return "state" in frame && !Number.isNaN(Date.parse(frame.at)) ? frame : null;
}

/** Takes over what frames say, and shows it once: a stream begins with those of the last minutes. */
function show(frames) {
  const frame = frames.at(-1);
  newest = Math.max(newest, Date.parse(frame.at));
  frames.forEach(takeOver);
  [last, generation] = [performance.now(), generation ?? frame.generation];
  heard();
  drawing ||= setTimeout(draw, DRAWN);
  if (frame.generation !== generation || frame.state !== state.status?.state) changed("stale");
  generation = frame.generation;
}

function draw() {
  drawing = 0;
  changed("counts");
  changed("samples");
}

function takeOver(frame) {
  const at = Date.parse(frame.at), read = performance.now() - Math.max(0, newest - at);
  for (const [id, counts] of Object.entries(frame.rules ?? {})) count(id, at, read, counts);
  addSample({ at, state: frame.state, active: frame.active, matched: null, hit: null, sites: frame.sites ?? {} });
}

function count(id, at, read, [matched, injected, shadowed, active, expires_in]) {
  note(id, at, injected + shadowed);
  const rule = ruleOf(id);
  // The list may be newer than what a stream begins with.
  if (rule && read >= rule.read) Object.assign(rule, { read, stats: { ...rule.stats, matched, injected, shadowed, active, expires_in } });
}
