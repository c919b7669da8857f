// "Is it hurting?": latency, errors and calls of one site, of calls left alone beside calls that are hit.

import { bucketOf, chart, spread } from "./charts.js";
import { element, find, place } from "./dom.js";
import { hasLive, isRefused, watch } from "./live.js";
import { recent } from "./samples.js";
import { changed, isHalted, isLive, isShadow, on, state } from "./state.js";
import { milliseconds, percent, rate, seconds as secondsOf } from "./words.js";

const latency = chart("Latency, p99"), errors = chart("Errors"), calls = chart("Calls");
find("charts").append(latency.figure, errors.figure, calls.figure);

const LAYERS = ["layer", "connection"];
/** The site to look at first: where requests come in. */
const FIRST = "http.server";

const site = () => find("at").value;
const span = () => Number(find("span").value);

/** Lists the layers, and sites where rules aim: those whose calls are worth a look. */
function showSites() {
  const aimed = new Set(state.rules.flatMap((rule) => rule.sites ?? []));
  const names = state.sites.filter(({ kind, name }) => LAYERS.includes(kind) || aimed.has(name)).map(({ name }) => name).slice(0, 40);
  const before = site();
  const options = new Map([...find("at").options].map((option) => [option.value, option]));
  if (before && !names.includes(before)) names.push(before);
  place(find("at"), names.map((name) => options.get(name) ?? element("option", { value: name, textContent: name })));
  if (!before && names.length) find("at").value = names.includes(FIRST) ? FIRST : names[0];
  watch(site());
}

/** Returns the bounds of guard rails that apply to the site: the least of each. */
function limits() {
  const guards = state.rules.filter((rule) => isLive(rule) && !isShadow(rule))
    .flatMap((rule) => (rule.guards ?? []).filter((guard) => (guard.site ?? rule.site) === site() && !guard.over_baseline));
  const least = (values) => {
    const given = values.filter((value) => value !== undefined && value !== null);
    return given.length ? Math.min(...given) : undefined;
  };
  return {
    latency: least(guards.map((guard) => guard.latency?.p99 && secondsOf(guard.latency.p99) * 1000)),
    errors: least(guards.map((guard) => guard.error_ratio)),
  };
}

/** Returns the mean of the last values of a line. */
function latest(values, count = 3) {
  const known = values.slice(-count).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** Returns the value before anything was armed, or that at the left. */
const earlier = (values) => latest(values.slice(0, Math.max(3, Math.floor(values.length / 3))), 20);

/** Returns the share of calls that failed. */
const failing = (counted) => (counted?.calls ? counted.failed / counted.calls : null);

function show() {
  if (state.paused || !state.status) return;
  const window = span(), samples = recent(window), now = samples.at(-1)?.at ?? Date.now();
  const line = (read) => spread(samples, now, window, read);
  const frame = { seconds: window, bands: bands(samples, now, window), halts: halts(samples, now, window) };
  const of = (sample) => sample.sites[site()];
  if (!samples.some(of)) return showCounts(line, frame);
  const bound = limits();
  const hit = line((sample) => inMs(of(sample)?.injected?.p99));
  const alone = line((sample) => inMs(of(sample)?.alone?.p99));
  latency.update(latencyWords(alone, hit), {
    ...frame, limit: bound.latency, unit: milliseconds,
    lines: [clean("left alone", alone), ...ifAny(injected("hit", hit))],
  });
  const spared = line((sample) => failing(of(sample)?.alone));
  const failed = line((sample) => failing(of(sample)));
  const isHit = hit.some((value) => value !== null);
  errors.update(errorWords(spared, failed, bound.errors, frame.halts.at(-1)), {
    ...frame, limit: bound.errors, unit: percent,
    lines: [clean("left alone", spared), ...(isHit ? [injected("all", failed)] : [])],
  });
  const every = line((sample) => of(sample)?.calls ?? null);
  const some = line((sample) => of(sample)?.hit || null);
  calls.update(callWords(every, some), {
    ...frame, unit: perSecond, lines: [clean("all", every), ...ifAny(injected("hit", some))],
  });
}

const clean = (called, values) => ({ is: "clean", called, values });
const injected = (called, values) => ({ is: "hit", called, values });
const inMs = (value) => (value === null || value === undefined ? null : value * 1000);
const perSecond = (value) => `${rate(value)}/s`;
const ifAny = (line) => (line.values.some((value) => value !== null) ? [line] : []);

function latencyWords(alone, hit) {
  const [now, before, hurt, was] = [latest(alone), earlier(alone), latest(hit), latest(hit, hit.length)];
  if (now === null && hurt === null) return "No calls.";
  const same = before === null || now === null || Math.abs(now - before) <= Math.max(before * 0.25, 2);
  if (hurt !== null) {
    const spared = now === null ? "No call is left alone" : `${milliseconds(now)} for calls left alone`;
    const change = now === null ? "" : same ? ", as before" : `, before ${milliseconds(before)}`;
    return `${spared}${change}; ${milliseconds(hurt)} for those hit.`;
  }
  if (was !== null) return `${milliseconds(now)} now${same ? ", as before" : ""}; it was ${milliseconds(was)} for those who were hit.`;
  return `${milliseconds(now)}.${state.rules.some(isLive) ? "" : " Nothing is injected."}`;
}

/** `halt` is where injection was halted last. */
function errorWords(clean, total, limit, halt) {
  const [alone, now] = [latest(clean), latest(total)];
  if (now === null) return "No calls.";
  // A guard rail halts at once, so what led to it may be one bucket.
  const before = isHalted() && halt !== undefined ? Math.max(...total.slice(Math.max(0, halt - 2), halt + 1)) : null;
  if (before !== null) return `${percent(now)} now; ${percent(before)} before the halt.`;
  const rail = limit === undefined ? "" : ` The rail is at ${percent(limit)}.`;
  return state.rules.some(isLive) ? `${percent(now)} of all calls${alone === null ? "" : `; ${percent(alone)} of those left alone`}.${rail}` : `${percent(now)} of calls.`;
}

function callWords(every, some) {
  const [calls, hit] = [latest(every), latest(some)];
  if (calls === null) return "No calls.";
  return `${rate(calls)} a second${hit ? `, ${rate(hit)} of them hit` : state.rules.some(isLive) ? ", none hit" : ""}.`;
}

/** Without frames, the rules' own counts are all that is known. */
function showCounts(line, frame) {
  const matched = line((sample) => sample.matched), hit = line((sample) => sample.hit);
  const why = isRefused() ? "The port counts for as many pages as it can, and is asked again." : hasLive() ? "Not counted yet." : "This port does not measure it.";
  latency.update(why, null);
  errors.update(why, null);
  if (latest(matched) === null) return calls.update(why, null);
  calls.update(`${rate(latest(hit) ?? 0)} a second hit, of ${rate(latest(matched))} that rules match.`, {
    ...frame, unit: perSecond, lines: [clean("matched", matched), injected("hit", hit)],
  });
}

/** Returns when rules were armed, as pairs of buckets. */
function bands(samples, now, seconds) {
  const found = [];
  let open = null;
  for (const sample of samples) {
    const at = Math.max(0, bucketOf(sample.at, now, seconds));
    if (sample.state === "armed" && open === null) open = at;
    if (sample.state !== "armed" && open !== null) { found.push([open, at]); open = null; }
  }
  return open === null ? found : [...found, [open, 59]];
}

/** Returns when injection was halted. */
function halts(samples, now, seconds) {
  return samples.filter((sample, at) => sample.state === "halted" && at > 0 && samples[at - 1].state !== "halted")
    .map((sample) => Math.max(0, bucketOf(sample.at, now, seconds)));
}

find("pause").onclick = () => {
  state.paused = !state.paused;
  find("pause").setAttribute("aria-pressed", String(state.paused));
  find("pause").textContent = state.paused ? "Paused: go on" : "Pause";
  changed("paused");
};
find("at").onchange = () => { watch(site()); show(); };
find("span").onchange = show;
on("sites rules", showSites);
on("samples status paused", show);
