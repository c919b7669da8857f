// Reads the state each second, and the lists when they have changed, but never many bytes a second.

import { allRules, ask, get, NoAnswer, Refusal } from "./api.js";
import { isLive as isFollowed } from "./live.js";
import { addSample, keepOnly, note } from "./samples.js";
import { changed, heard, hits, on, state } from "./state.js";

const SECOND = 1000;
/** How often the status is read while frames come each second. */
const BESIDE_FRAMES = 5000;
/** Lists are read anew at such a pace. */
const BYTES_A_SECOND = 8000;
/** Nothing is known once the last answer is so old. */
const LOST_AFTER = 2600;
const ENTRIES = 200;

/** When each list was read last, its size, and the generation that it shows. */
const rules = { read: -Infinity, bytes: 0, generation: -1, hit: 0, matched: 0 };
const sites = { read: -Infinity, bytes: 0 };
const audit = { run: "", last: 0 };

let turn = Promise.resolve();
let timer = 0;

/** The round that waits for nothing and has not begun: who asks meanwhile gets the same. @type {Promise<void> | null} */
let next = null;

/** Reads now what has changed. */
export function refresh() {
  next ??= turn = turn.then(() => {
    next = null;
    return round(true);
  });
  return next;
}

on("stale", refresh);

/**
 * Shows what an edit of one rule was answered with. If no other edit came between, the list, which may be long, need not
 * be read for it.
 * @param {{ body: any, tag: string | null }} answer
 * @param {string} id
 */
export function takeOver({ body, tag }, id) {
  const generation = Number(tag?.replaceAll('"', "") ?? NaN);
  const isNext = generation === rules.generation + 1 || generation === rules.generation;
  if (!isNext || (body && !body.stats)) return;
  const at = state.rules.findIndex((rule) => rule.id === id);
  const others = state.rules.toSpliced(at < 0 ? state.rules.length : at, at < 0 ? 0 : 1, ...(body ? [body] : []));
  if (body) {
    body.read = performance.now();
    note(id, Date.now(), hits(body));
  }
  Object.assign(rules, { generation });
  Object.assign(state, { rules: others, tag });
  changed("rules");
}

/** Reads what is due, again and again. */
export async function start() {
  turn = turn.then(() => round(false));
  await turn;
  timer = setTimeout(start, SECOND);
}

/** Begins the next round at once. */
export function tryNow() {
  clearTimeout(timer);
  start();
}

setInterval(() => {
  if (!state.lost && !state.isLocked && state.answered && performance.now() - state.answered > LOST_AFTER) {
    state.lost = true;
    changed("lost");
  }
  changed("second");
}, 250);

async function round(everything) {
  const now = performance.now();
  if (state.isLocked) return;
  if (!everything && isFollowed() && now - state.statusRead < BESIDE_FRAMES) return;
  try {
    const status = await get("/v1/status");
    heard();
    const hasChanged = status.generation !== rules.generation;
    if ((everything && hasChanged) || isDue(rules, now, hasChanged)) await readRules(status);
    state.status = status;
    state.statusRead = performance.now();
    changed("status");
    if (isDue(sites, now, false)) await readSites();
    if (status.audit?.last !== audit.last) await readAudit();
  } catch (error) {
    // Said by the age of the last answer, or by the login.
    if (!(error instanceof NoAnswer || error instanceof Refusal)) throw error;
  }
}

/**
 * Says whether a list should be read: after a while that grows with its size, sooner if it has changed, and later if
 * what changes often comes another way.
 */
function isDue(list, now, hasChanged) {
  const pace = Math.max(SECOND, (list.bytes / BYTES_A_SECOND) * SECOND);
  const usual = list === sites || isFollowed() ? Math.max(4 * pace, 10 * SECOND) : pace;
  return now - list.read >= (hasChanged ? pace / 4 : usual) - SECOND / 10;
}

async function readRules(status) {
  const { rules: read, tag, bytes } = await allRules();
  const [now, at] = [performance.now(), Date.now()];
  for (const rule of read) {
    rule.read = now;
    note(rule.id, at, hits(rule));
  }
  keepOnly(new Set(read.map((rule) => rule.id)));
  if (!isFollowed()) sampleOf(status, read, at, (now - rules.read) / 1000);
  Object.assign(rules, { read: now, bytes, generation: status.generation });
  Object.assign(state, { rules: read, tag });
  changed("rules");
}

/** Makes a sample of what all rules have counted since they were read last. */
function sampleOf(status, read, at, seconds) {
  const sum = (field) => read.reduce((sum, rule) => sum + (rule.stats?.[field] ?? 0), 0);
  const [matched, hit] = [sum("matched"), sum("injected")];
  const rateOf = (now, before) => (seconds < 60 ? Math.max(0, now - before) / seconds : null);
  addSample({
    at, state: status.state, active: status.active, sites: {},
    matched: rateOf(matched, rules.matched), hit: rateOf(hit, rules.hit),
  });
  Object.assign(rules, { matched, hit });
  changed("samples");
}

async function readSites() {
  const { body, bytes } = await ask("GET", "/v1/sites");
  Object.assign(sites, { read: performance.now(), bytes });
  // Several sites may share a name; a rule aims at all of them.
  state.sites = [...new Map(body.sites.map((site) => [site.name, site])).values()];
  changed("sites");
}

async function readAudit() {
  const known = audit.last > 0;
  const page = await get(known ? `/v1/audit?after=${audit.last}` : `/v1/audit?limit=${ENTRIES}`);
  // Another process counts its entries from 1.
  if (known && page.run !== audit.run) {
    Object.assign(audit, { run: page.run, last: 0 });
    state.entries = [];
    return readAudit();
  }
  state.entries = [...page.entries.reverse(), ...state.entries].slice(0, ENTRIES);
  Object.assign(audit, { run: page.run, last: state.entries[0]?.id ?? page.last });
  changed("entries");
}
