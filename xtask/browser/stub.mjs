// A port for the tests of the page: it serves the console's files and answers the routes of the admin port with
// believable data. Times and counts move as if calls came. The same story runs against the real shop.

import { createServer } from "node:http";

import { page } from "./page.mjs";
import { manyRules, manySites, rules as usualRules, sites as usualSites } from "./stub_data.mjs";

const ROLES = ["observe", "stop", "arm"];

/**
 * Starts a port.
 * @param {{ tokens?: Record<string, { name: string, role: string }>, prefix?: string, isBig?: boolean, isIdle?: boolean,
 *   isOld?: boolean }} [wanted] An old port lacks the routes that the page uses where they are there.
 */
export async function startStub({ tokens, prefix = "", isBig = false, isIdle = false, isOld = false } = {}) {
  const port = new Port({ isBig, isIdle, isOld });
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    await port.hold?.(request);
    const answer = reply(port, tokens, prefix, request, Buffer.concat(chunks).toString());
    seen.push({ method: request.method, url: request.url, status: answer.status ?? 200, headers: request.headers });
    if (answer.stream) return answer.stream(request, response);
    const body = answer.body === undefined ? "" : typeof answer.body === "string" || Buffer.isBuffer(answer.body) ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status ?? 200, { "content-type": answer.type ?? "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff", ...answer.headers });
    response.end(body);
    port.bytes += body.length;
  });
  const listen = (at) => new Promise((done) => { server.listen(at, "127.0.0.1", done); });
  await listen(0);
  const { port: number } = server.address();
  const stop = () => new Promise((done) => { server.close(done); server.closeAllConnections(); });
  const revoke = (secret) => { delete tokens[secret]; server.closeAllConnections(); };
  return { revoke, url: `http://127.0.0.1:${number}${prefix}`, port, seen, stop, start: () => listen(number) };
}

function reply(port, tokens, prefix, { method, url, headers }, text) {
  const { pathname, searchParams } = new URL(url, "http://x");
  if (!pathname.startsWith(prefix)) return problem(404, "there is no route");
  const path = pathname.slice(prefix.length) || "/";
  const file = page(path, `./${pathname.split("/").at(-1)}`.replace(/\/$/, ""), Boolean(tokens));
  if (file) return file;
  const you = tokens ? tokens[/^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1]] : { name: "anyone", role: "arm" };
  if (!you) return problem(401, "the access token is not valid", "Authorization");
  const route = routes.find(([verb, pattern]) => verb === method && pattern.test(path));
  if (!route || (port.isOld && route[4])) return problem(404, `there is no route ${path}`, "path");
  const [, pattern, role, work] = route;
  if (ROLES.indexOf(you.role) < ROLES.indexOf(role)) return problem(403, `the access token \`${you.name}\` has the role ${you.role}; the route requires ${role}`, "Authorization");
  try {
    const id = decodeURIComponent(pattern.exec(path)[1] ?? "");
    return work(port, { id, you, query: searchParams, body: text ? JSON.parse(text) : null, tag: headers["if-match"], isNew: headers["if-none-match"] === "*" });
  } catch (error) {
    if (error instanceof Refused) return problem(error.status, error.message, error.field, error.allowed);
    throw error;
  }
}

class Refused extends Error {
  constructor(status, detail, field, allowed) {
    super(detail);
    Object.assign(this, { status, field, allowed });
  }
}

const problem = (status, detail, field, allowed) =>
  ({ status, type: "application/problem+json", body: { title: "", status, detail, field, allowed } });

/** What the port holds. */
class Port {
  constructor({ isBig, isIdle, isOld }) {
    Object.assign(this, { isOld, generation: 1, run: "shop-7c9f", bytes: 0, halted: null, breaches: [], frames: [], places: 0 });
    this.sites = isBig ? manySites(1000) : usualSites();
    const made = isIdle ? [] : isBig ? manyRules(500, this.sites) : usualRules();
    this.rules = made.map((rule) => this.armed(rule.rule, rule.by, rule.stats, rule.left));
    this.entries = [];
    for (const { rule, by } of made.slice(-5)) this.note(by, "put", { reason: rule.reason, changes: [{ rule: rule.id, before: null, after: rule }] });
    if (!isIdle) {
      this.note("stranger", "refuse", { what: "PUT /v1/rules/x: 400, exit is not allowed by the policy" });
      this.note("system", "expire", { what: "tenant-down" });
    }
    for (let at = -120; at < 0; at++) this.frames.push(this.frame(Date.now() + at * 1000, at > -80 && !isIdle));
    this.timer = setInterval(() => this.second(), 1000);
    this.timer.unref();
  }

  armed(rule, by, stats = {}, left) {
    const ttl = left ?? seconds(rule.ttl ?? "10m");
    return { rule: inItsWords(rule), by, since: Date.now(), ends: ttl === null ? null : Date.now() + ttl * 1000, stats: { matched: 0, injected: 0, shadowed: 0, active: 0, evicted: 0, overflow: {}, ...stats } };
  }

  isLive = (one) => one.rule.enabled !== false && (one.ends === null || one.ends > Date.now());
  state = () => (this.halted ? "halted" : this.rules.some(this.isLive) ? "armed" : "idle");

  known(pattern) {
    const glob = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("**", "§").replaceAll("*", "[^.]*").replaceAll("§", ".*")}$`);
    return this.sites.filter((site) => glob.test(site.name));
  }

  warnings(rule) {
    const sites = this.known(rule.site), found = [];
    if (!sites.length) found.push({ rule: rule.id, field: "site", detail: `no such site ${rule.site}`, suggestion: "db.read" });
    if (sites.length && sites.every((site) => site.kind !== "layer")) {
      if (/^(header|query)/.test(rule.key ?? "")) found.push({ rule: rule.id, field: "key", detail: `calls at ${rule.site} have no headers and no query: nobody would ever be hit`, suggestion: `a label: ${sites[0].labels.join(", ") || "it has none"}` });
      if (rule.faults.some((fault) => fault?.status !== undefined)) found.push({ rule: rule.id, field: "faults[0]", detail: `a status cannot happen at ${rule.site}`, suggestion: "error or latency" });
    }
    return found;
  }

  check(rule) {
    if (!/^[\w.:-]{1,128}$/.test(rule.id ?? "")) throw new Refused(400, `${rule.id} is no id`, "id", "1 to 128 of A-Z a-z 0-9 . _ : -");
    if (typeof rule.site !== "string" || !rule.site) throw new Refused(400, "the site is missing", "site", "a site or a pattern");
    if (rule.rate !== undefined && !(rule.rate >= 0 && rule.rate <= 1)) throw new Refused(400, `${rule.rate} is no rate`, "rate", "a number from 0 to 1");
    const status = rule.faults?.[0]?.status;
    if (status !== undefined && !(status >= 100 && status <= 999)) throw new Refused(400, `${status} is no status`, "faults[0].status", "200 to 599");
    if (rule.faults?.some((fault) => fault?.abort === "exit")) throw new Refused(400, "exit is not allowed by the policy", "faults[0].abort", "close, reset, refuse, panic");
  }

  shown(one) {
    const left = one.rule.enabled === false || one.ends === null ? null : Math.max(0, (one.ends - Date.now()) / 1000);
    const more = this.isOld ? {} : { armed_by: one.by, since: new Date(one.since).toISOString(), deadline: one.ends === null ? null : new Date(one.ends).toISOString() };
    return { ...one.rule, enabled: one.rule.enabled ?? true, stats: { ...one.stats, expires_in: left, ...more, ...(this.isOld ? {} : { keys: one.rule.key ? 4 : null }) }, sites: this.known(one.rule.site).map((site) => site.name), warnings: this.warnings(one.rule) };
  }

  find(id) {
    const found = this.rules.find((one) => one.rule.id === id);
    if (!found) throw new Refused(404, `there is no rule \`${id}\``);
    return found;
  }

  matches(tag) {
    if (tag && tag !== "*" && tag !== `"${this.generation}"`) throw new Refused(412, "the rules have changed since they were read", "If-Match");
  }

  note(actor, action, { what = null, reason = null, changes = [] } = {}) {
    this.entries.push({ id: this.entries.length + 1, at: new Date().toISOString(), actor, address: "127.0.0.1", action, what, reason, generation: this.generation, changes });
  }

  /** Puts a rule, at its place if there is one. */
  put(rule, by, at) {
    const before = this.rules.findIndex((one) => one.rule.id === rule.id);
    const made = this.armed(rule, by);
    if (before >= 0) this.rules[before] = made;
    else this.rules.splice(at ?? this.rules.length, 0, made);
    this.generation += 1;
    return made;
  }

  status(you) {
    const { halted } = this;
    return {
      state: this.state(), generation: this.generation, rules: this.rules.length, overlays: 0, active: this.halted ? 0 : 3, compiled_out: false,
      injected: this.rules.reduce((sum, one) => sum + one.stats.injected, 0),
      breaches: this.isOld ? this.breaches.map((breach) => breach.text) : this.breaches, policy: {}, audit: { last: this.entries.length }, listeners: 0,
      ...(this.isOld ? {} : { service: "shop", run: this.run, you }),
      ...(halted && { halted: { ...halted.holders[0], seconds_ago: (Date.now() - halted.at) / 1000, holders: halted.holders } }),
    };
  }

  halt(by, reason, kind = "person") {
    this.note(by, "halt", { reason });
    this.halted ??= { at: Date.now(), holders: [] };
    if (!this.halted.holders.some((holder) => holder.by === by)) this.halted.holders.push({ kind, by, reason, address: null, seconds_ago: 0, locked: kind !== "person" });
  }

  /** Lets the guard rail of slow-payment break. */
  breach() {
    this.breaches = [{ rule: "slow-payment", site: "http.server", measure: "latency", quantile: 0.99, measured: 1.24, baseline: 0.038, allowed: 0.8, max_baseline: null, over_baseline: false, calls: 412, injected: 39, window: 10, at: new Date().toISOString(), text: "latency p99 at http.server is 1240.0 ms; allowed: 800.0 ms (412 calls in 10s, 39 injected)" }];
    this.note("guard rail", "breach", { what: this.breaches[0].text });
    this.halted = { at: Date.now(), holders: [{ kind: "guard_rail", by: "guard rail", reason: this.breaches[0].text, address: null, seconds_ago: 0, locked: true }] };
  }

  frame(at, isArmed) {
    const chance = (middle, jitter) => Math.max(0, middle + (Math.random() - 0.5) * jitter);
    const site = (calls, hit, p99) => ({
      calls, hit: isArmed ? hit : 0, failed: isArmed ? calls * 0.04 : 0.04, held: isArmed ? 3 : 0,
      alone: { calls: calls - (isArmed ? hit : 0), failed: calls * 0.001, p50: 0.012, p90: 0.03, p99: chance(p99, 0.009) },
      injected: isArmed ? { calls: hit, failed: hit * 0.6, p50: 0.4, p90: 0.45, p99: chance(0.486, 0.09) } : null,
    });
    return { at: new Date(at).toISOString(), state: isArmed ? "armed" : this.halted ? "halted" : "idle", active: isArmed ? 3 : 0, site, isArmed, calls: chance(42, 7), hit: chance(2.8, 1.2) };
  }

  /** A second passes: calls come, and are hit. */
  second() {
    const isArmed = this.state() === "armed";
    const changed = {};
    for (const one of this.rules) {
      if (!isArmed || !this.isLive(one) || !this.known(one.rule.site).length) continue;
      const share = one.rule.rate ?? 1;
      if (this.rules.length > 100 && Math.random() > 0.05) continue;
      const came = Math.round(Math.random() * 6), hit = Math.round(came * share);
      one.stats.matched += came;
      one.stats[one.rule.mode === "shadow" ? "shadowed" : "injected"] += hit;
      const { stats } = this.shown(one);
      changed[one.rule.id] = [stats.matched, stats.injected, stats.shadowed, stats.active, stats.expires_in];
    }
    const frame = this.frame(Date.now(), isArmed);
    this.frames = [...this.frames.slice(-119), frame];
    this.tell?.(frame, changed);
  }

  close() {
    clearInterval(this.timer);
  }
}

function seconds(text) {
  if (text === "never") return null;
  const parts = [...String(text).matchAll(/([0-9.]+)\s*(ms|s|m|h)/g)];
  if (!parts.length) throw new Refused(400, `${text} is no duration`, "ttl", "a duration such as \"10m\"");
  return parts.reduce((sum, [, number, unit]) => sum + number * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit], 0);
}

/** A port leaves out what is usual, and sorts what has no order. */
function inItsWords({ ttl, match, ...rule }) {
  const sorted = (value) => (value && typeof value === "object" && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort().map(([name, one]) => [name, sorted(one)])) : value);
  return { ...rule, ...(match && { match: sorted(match) }), ...(ttl !== undefined && ttl !== "10m" && { ttl }) };
}

/** What a rule would do with a call. */
function explained(rule, call) {
  const { method } = rule.match ?? {};
  const mismatches = method && method !== call.method ? [{ field: "match.method", wanted: method, got: [call.method] }] : [];
  const key = rule.key ? { key: rule.key, value: call.headers?.["x-user-id"] ?? null } : null;
  const draw = key?.value ? 0.71 : null;
  return { rule: rule.id, matches: !mismatches.length, mismatches, key, draw, rate: rule.rate ?? 1, obstacles: key && !key.value ? ["no_key"] : [], hits: mismatches.length || key ? false : null };
}

const tagged = (port, body, status = 200) => ({ status, body, headers: { etag: `"${port.generation}"` } });
const written = (one) => ({ ...one.rule });

/** Streams frames of the sites that are watched. */
function live(port, { query }) {
  const watched = new Set(query.getAll("watch"));
  const written = (frame, rules) => {
    const sites = {};
    for (const name of watched) {
      const at = port.sites.findIndex((site) => site.name === name);
      if (at >= 0) sites[name] = frame.site(frame.calls / (1 + at * 0.4), frame.hit / (1 + at), 0.038);
    }
    return `data: ${JSON.stringify({ at: frame.at, state: frame.state, generation: port.generation, active: frame.active, rules, sites })}\n\n`;
  };
  return {
    stream(request, response) {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      port.places += 1;
      request.socket.once("close", () => { port.places -= 1; });
      response.write(port.frames.map((frame) => written(frame, port.replayed ?? {})).join(""));
      const tell = (frame, rules) => {
        const text = written(frame, rules);
        port.bytes += text.length;
        response.write(text);
      };
      const others = port.tell;
      port.tell = (...frame) => { others?.(...frame); if (!response.destroyed) tell(...frame); };
    },
  };
}

const RULE = /^\/v1\/rules\/([^/]+)$/;

/** Method, path, role, deed, and whether an old port lacks it. */
const routes = [
  ["GET", /^\/v1\/status$/, "observe", (port, { you }) => ({ body: port.status(you) })],
  ["GET", /^\/v1\/whoami$/, "observe", (_, { you }) => ({ body: you }), true],
  ["GET", /^\/v1\/sites$/, "observe", (port) => ({ body: { sites: port.sites } })],
  ["GET", /^\/v1\/sites\/([^/]+)\/seen$/, "observe", () => ({ body: { methods: ["GET", "POST"], paths: ["/products", "/products/{id}", "/checkout/{id}"], hosts: [], labels: [] } }), true],
  ["GET", /^\/v1\/rules$/, "observe", (port) => tagged(port, { rules: port.rules.map((one) => port.shown(one)), generation: port.generation })],
  ["GET", RULE, "observe", (port, { id }) => tagged(port, port.shown(port.find(id)))],
  ["PUT", RULE, "arm", (port, { id, body, you, tag, isNew, query }) => {
    port.matches(tag);
    const rule = { ...body, id };
    port.check(rule);
    if (query.get("dry_run") === "true") {
      seconds(rule.ttl ?? "10m");
      return { body: { ...rule, warnings: port.warnings(rule) } };
    }
    const before = port.rules.find((one) => one.rule.id === id);
    if (isNew && before) throw new Refused(412, `there is a rule \`${id}\` already`, "If-None-Match");
    const made = port.put(rule, you.name);
    port.note(you.name, "put", { reason: rule.reason ?? null, changes: [{ rule: id, before: before ? written(before) : null, after: rule }] });
    return tagged(port, port.shown(made), before ? 200 : 201);
  }],
  ["PATCH", RULE, "arm", (port, { id, body, you, tag }) => {
    port.matches(tag);
    const one = port.find(id), before = written(one);
    one.rule = { ...one.rule, ...body };
    if (body.enabled) one.ends = Date.now() + seconds(one.rule.ttl ?? "10m") * 1000;
    port.generation += 1;
    port.note(you.name, "edit", { changes: [{ rule: id, before, after: written(one) }] });
    return tagged(port, port.shown(one));
  }],
  ["DELETE", RULE, "arm", (port, { id, you, tag }) => {
    port.matches(tag);
    const one = port.find(id);
    port.gone = { ...port.gone, [port.entries.length + 1]: port.rules.indexOf(one) };
    port.rules = port.rules.filter((other) => other !== one);
    port.generation += 1;
    port.note(you.name, "remove", { changes: [{ rule: id, before: written(one), after: null }] });
    return { status: 204, headers: { etag: `"${port.generation}"` } };
  }],
  ["GET", /^\/v1\/rules\/([^/]+)\/decisions$/, "observe", (port, { id }) => {
    if (!port.find(id).rule.key) throw new Refused(409, "which calls the rule has hit is not known", "seed");
    return { body: { keys: ["alice", "bob", "<b>carol</b>"], dropped: 0 } };
  }],
  ["POST", /^\/v1\/rules\/([^/]+)\/extend$/, "arm", (port, { id, body, you }) => {
    const one = port.find(id), by = seconds(body.by);
    if (one.ends - Date.now() + by * 1000 > 86_400_000) throw new Refused(409, "the policy allows no more than 24 h", "by", "up to 24h");
    one.ends += by * 1000;
    port.note(you.name, "extend", { what: id });
    return tagged(port, port.shown(one));
  }, true],
  ["POST", /^\/v1\/undo$/, "arm", (port, { body, you }) => {
    const entry = port.entries[body.entry - 1];
    const later = port.entries.slice(body.entry).some((other) => other.changes.some((change) => change.rule === entry.changes[0].rule));
    if (later) throw new Refused(409, `${entry.changes[0].rule} was changed since`, "entry", "an entry whose rules are as it left them");
    for (const { rule, before } of entry.changes) {
      if (before) port.put(before, you.name, port.gone?.[entry.id]);
      else { port.rules = port.rules.filter((one) => one.rule.id !== rule); port.generation += 1; }
    }
    port.note(you.name, "undo", { what: `entry ${entry.id}`, changes: entry.changes.map(({ rule, before, after }) => ({ rule, before: after, after: before })) });
    return tagged(port, port.status(you));
  }, true],
  ["POST", /^\/v1\/explain$/, "observe", (port, { body }) => {
    const site = port.sites.find((site) => site.name === body.site);
    if (!site) throw new Refused(404, "there is no such site", "site", "a known site");
    const rules = port.rules.filter((one) => port.known(one.rule.site).includes(site)).map(({ rule }) => explained(rule, body.call ?? {}));
    return { body: { site: site.name, kind: site.kind, rules } };
  }, true],
  ["POST", /^\/v1\/halt$/, "stop", (port, { you, body }) => { port.halt(you.name, body.reason); return tagged(port, port.status(you)); }],
  ["POST", /^\/v1\/resume$/, "arm", (port, { you, body, tag }) => {
    port.matches(tag);
    if (port.breaches.length) throw new Refused(409, port.breaches[0].text, "enabled", "false, until POST /v1/acknowledge");
    port.halted = null;
    port.note(you.name, "resume", { reason: body.reason });
    return tagged(port, port.status(you));
  }],
  ["POST", /^\/v1\/acknowledge$/, "arm", (port, { you, body }) => {
    port.breaches = [];
    if (port.halted) port.halted.holders = [{ kind: "person", by: "guard rail", reason: body.reason, seconds_ago: 0, locked: false }];
    port.note(you.name, "acknowledge", { reason: body.reason });
    return tagged(port, port.status(you));
  }],
  ["GET", /^\/v1\/audit$/, "observe", (port, { query }) => {
    const after = query.get("after");
    const entries = after === null ? port.entries.slice(-Number(query.get("limit") ?? 1000)) : port.entries.slice(Number(after));
    return { body: { run: port.run, last: port.entries.length, missed: 0, entries } };
  }],
  ["GET", /^\/v1\/live$/, "observe", live, true],
];

// `node stub.mjs` serves a port to look at in a browser.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const flags = process.argv.slice(2);
  const tokens = flags.includes("tokens") && { secret: { name: "oncall", role: "arm" }, look: { name: "guest", role: "observe" } };
  const { url } = await startStub({ tokens: tokens || undefined, isBig: flags.includes("big"), isIdle: flags.includes("idle"), isOld: flags.includes("old") });
  console.log(url);
}
