// Reads the state each second, and the lists when they have changed, but never many bytes a second.

import { allRules, ask, get, NoAnswer, Refusal } from "./api.js";
import { isLive as isFollowed } from "./live.js";
import { addSample, keepOnly, note } from "./samples.js";
import { changed, hits, on, state, takeStatus } from "./state.js";

const SECOND = 1000;
/** How often the status is read while frames come each second. */
const BESIDE_FRAMES = 5000;
/** Lists are read anew at such a pace. */
const BYTES_A_SECOND = 6000;
/** Nothing is known once the last answer is so old. */
const LOST_AFTER = 2600;
const ENTRIES = 200;

/** When each list was read last, its size, and the generation that it shows. */
const rules = { read: -Infinity, bytes: 0, generation: -1, hit: 0, matched: 0 };
const sites = { read: -Infinity, bytes: 0 };
const audit = { run: "", last: 0 };

/** The process that the lists are of. */
let run = null;

/** Whether a frame has said that something has changed. */
let isStale = false;
on("stale", () => { isStale = true; });

let turn = Promise.resolve();
/** The lists that are read now: a long one does not hold up the status. */
let lists = Promise.resolve(), isReading = false;

/** The round that waits for nothing and has not begun: who asks meanwhile gets the same. @type {Promise<any> | null} */
let next = null;

/** Reads now what has changed. */
export function refresh() {
  next ??= queue(() => {
    next = null;
    return round(true);
  }).then((isKnown) => isKnown && readLists(true));
  return next;
}

/** Does something once what was asked before is done. An exception is reported, and ends nothing. */
const queue = (work) => (turn = turn.then(work).catch(reportError));

const generationOf = (tag) => Number(tag?.replaceAll('"', "") ?? NaN);

/**
 * Shows what an edit of one rule was answered with. If no other edit came between, the list, which may be long, need not
 * be read for it.
 * @param {{ body: any, tag: string | null }} answer
 * @param {string} id
 * @param {number} [edits] By how many edits the rules are then newer: an extension is none.
 */
export function takeOver({ body, tag }, id, edits = 1) {
  const generation = generationOf(tag);
  if (generation !== rules.generation + edits || (body && !body.stats)) return;
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
  await queue(() => round(false));
  setTimeout(start, SECOND);
}

setInterval(() => {
  if (!state.lost && !state.isLocked && state.answered && performance.now() - state.answered > LOST_AFTER) {
    state.lost = true;
    changed("lost");
  }
  changed("second");
}, 250);

/** Reads the status, and returns whether it was answered. `everything`: even while frames come, and without lists. */
async function round(everything) {
  const now = performance.now();
  if (state.isLocked) return false;
  if (!everything && !isStale && isFollowed() && now - state.statusRead < BESIDE_FRAMES) return false;
  isStale = false;
  return attempt(async () => {
    const status = await get("/v1/status");
    if ((status.run ?? "") !== run) forget(status.run ?? "");
    // A halt may have been answered meanwhile, which is newer.
    if (state.statusRead <= now) takeStatus(status);
    if (!everything && !isReading) readLists(false);
    return true;
  });
}

/** Does something that may fail as the age of the last answer, or the login, says. */
const attempt = (work) => work().catch((error) => {
  if (!(error instanceof NoAnswer || error instanceof Refusal)) throw error;
});

/** Forgets what another process has said: its generations and entries begin anew. */
function forget(now) {
  run = now;
  Object.assign(rules, { read: -Infinity, generation: -1 });
  Object.assign(sites, { read: -Infinity });
  Object.assign(audit, { run: "", last: 0 });
  state.entries = [];
}

/** Reads the lists that are due. */
function readLists(everything) {
  lists = lists.then(async () => {
    isReading = true;
    await attempt(() => readDue(everything, state.status));
  }).catch(reportError).finally(() => { isReading = false; });
  return lists;
}

async function readDue(everything, status) {
  const now = performance.now(), hasChanged = status.generation !== rules.generation;
  if ((everything && hasChanged) || isDue(rules, now, hasChanged)) await readRules(status);
  if (isDue(sites, now, false)) await readSites();
  if (status.audit?.last !== audit.last) await readAudit();
}

/**
 * Says whether a list should be read: after a while that grows with its size, sooner if it has changed, and later if
 * what changes often comes another way.
 */
function isDue(list, now, hasChanged) {
  const pace = Math.max(SECOND, (list.bytes / BYTES_A_SECOND) * SECOND);
  const usual = list === sites || isFollowed() || document.hidden ? Math.max(4 * pace, 10 * SECOND) : pace;
  return now - list.read >= (hasChanged ? pace / 2 : usual) - SECOND / 10;
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
  Object.assign(rules, { read: now, bytes, generation: generationOf(tag) });
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
