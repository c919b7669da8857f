// From the fields of the form to a rule and back: what is not among the fields of the form stays as it is.

import { faultWords } from "./sentence.js";
import { count, duration, seconds, size } from "./words.js";

/** The kinds of faults that the form knows: their fields, and the fault made of them. The last takes any. */
export const KINDS = {
  status: {
    fields: [["Status", "503", "w4"]],
    make: ([code]) => ({ status: number(code) }),
    read: (fault) => (typeof fault.status === "number" ? [String(fault.status)] : null),
    says: ([code]) => `get ${code}`,
  },
  slow: {
    fields: [["From, ms", "200", "w4"], ["to, ms", "500", "w4"]],
    make: ([from, to]) => ({ latency: to === "" || to === from ? `${from}ms` : `${from}ms..${to}ms` }),
    read: (fault) => {
      if (typeof fault.latency !== "string") return null;
      const ends = fault.latency.split("..").map(seconds);
      return ends.includes(null) ? null : [0, 1].map((at) => (at in ends ? String(Number((ends[at] * 1000).toFixed(3))) : ""));
    },
    says: ([from, to]) => `wait ${to === "" || to === from ? from : `${from} to ${to}`} ms`,
  },
  error: {
    fields: [["Message", "lost", "w8"]],
    make: ([message]) => ({ error: message }),
    read: (fault) => (typeof fault.error === "string" ? [fault.error] : null),
    says: ([message]) => `fail with “${message}”`,
  },
  cut: {
    fields: [["After, KiB", "1", "w4"]],
    make: ([kib]) => ({ body: { truncate_after: `${kib}KiB` } }),
    read: (fault) => {
      const kib = /^([0-9.]+)\s*KiB$/.exec(fault.body?.truncate_after ?? "");
      return kib && Object.keys(fault.body).length === 1 ? [kib[1]] : null;
    },
    says: ([kib]) => `lose the answer after ${size(`${kib}KiB`)}`,
  },
  hang: {
    fields: [["At most, s", "30", "w4"]],
    make: ([most]) => ({ hang: `${most}s` }),
    read: (fault) => (seconds(fault.hang ?? "") === null ? null : [String(seconds(fault.hang))]),
    says: ([most]) => `hang for ${most} s`,
  },
  "all others": {
    fields: [["As JSON", "{\"abort\":\"reset\"}", "wide"]],
    make: ([text]) => JSON.parse(text),
    read: (fault) => [JSON.stringify(fault)],
    says: ([text]) => `get ${text}`,
  },
};

/** Kinds of further conditions, by the name of their field in a rule. */
export const EXTRAS = { headers: "header", query: "query", host: "host", labels: "label" };

/** Numbers that are none are sent as they are: the port says what is wrong with them. */
const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text));

/**
 * What the fields hold.
 * @typedef {{ site: string, method: string, path: string, extras: { kind: string, name: string, value: string }[], of: string,
 *   rate: string, key: string, kind: string, fault: string[], ttl: string, max: string, rail: string, railSite: string | null,
 *   id: string, reason: string }} Values
 */

/** Makes the rule of these fields, upon `base`, whose other fields it keeps. @param {Values} values @returns {any} */
export function compose(values, base = {}) {
  const { match, rate, key, max_active, guards, ...kept } = base;
  const matching = conditions(values, match ?? {});
  const rails = railsOf(values, guards ?? []);
  const [, ...more] = base.faults ?? [];
  const made = KINDS[values.kind].make(values.fault);
  return {
    ...kept, id: values.id, site: values.site,
    ...(Object.keys(matching).length && { match: matching }),
    ...(values.of !== "all" && !base.program && { rate: fraction(values.rate) }),
    ...(values.of === "users" && { key: values.key }),
    ...(values.max !== "" && { max_active: number(values.max) }),
    ttl: values.ttl,
    ...(values.reason ? { reason: values.reason } : base.reason ? { reason: "" } : {}),
    ...(rails.length && { guards: rails }),
    faults: Array.isArray(made) ? made : [made, ...more],
  };
}

/** Puts the form's bound in the place of the one that was there. */
function railsOf({ rail, railSite }, guards) {
  if (rail === "" || !railSite) return guards.filter((guard) => !isRail(guard));
  const error_ratio = fraction(rail), at = guards.findIndex(isRail);
  return at < 0 ? [...guards, { site: railSite, error_ratio }] : guards.with(at, { ...guards[at], error_ratio });
}

/** A bound on the ratio of errors by itself: the one that the form has a field for. */
export const isRail = (guard) => guard.error_ratio !== undefined && !guard.over_baseline && !guard.latency && !guard.latency_to_end;

function fraction(text) {
  const value = number(text.replace(",", "."));
  return typeof value === "number" ? Number((value / 100).toFixed(8)) : value;
}

function conditions({ method, path, extras }, base) {
  const made = Object.fromEntries(Object.entries(base).filter(([name, value]) => !hasField(name, value)));
  const methods = method.split(",").map((one) => one.trim());
  if (method !== "any") made.method = methods.length > 1 ? methods : method;
  if (path) made.path = path;
  for (const { kind, name, value } of extras) {
    if (kind === "host") made.host = value;
    else if (name) made[kind] = { ...made[kind], [name]: value };
  }
  // Conditions that have no field stay.
  for (const kind of ["headers", "query", "labels"]) {
    const complex = Object.entries(base[kind] ?? {}).filter(([, value]) => typeof value !== "string");
    if (complex.length) made[kind] = { ...Object.fromEntries(complex), ...made[kind] };
  }
  return made;
}

/** Says whether a condition has a field in the form; of headers, queries and labels, some do. */
function hasField(name, value) {
  if (name === "method") return [value].flat().every((one) => typeof one === "string");
  if (name === "path" || name === "host") return typeof value === "string";
  return ["headers", "query", "labels"].includes(name);
}

/** Reads the fields of a rule. @returns {Values} */
export function fieldsOf(rule, railSite) {
  const match = rule.match ?? {};
  const fault = (rule.faults ?? [])[0] ?? {};
  const kind = Object.keys(KINDS).find((name) => name === "all others" || (Object.keys(fault).length === 1 && KINDS[name].read(fault)));
  const rail = (rule.guards ?? []).find(isRail);
  const percent = (value) => String(Number((value * 100).toFixed(6)));
  const method = [match.method ?? "any"].flat().join(", ");
  const extras = ["headers", "query", "labels"].flatMap((kind) => Object.entries(match[kind] ?? {})
    .filter(([, value]) => typeof value === "string").map(([name, value]) => ({ kind, name, value })));
  if (typeof match.host === "string") extras.push({ kind: "host", name: "", value: match.host });
  return {
    site: rule.site, method, path: typeof match.path === "string" ? match.path : "", extras,
    of: rule.key ? "users" : (rule.rate ?? 1) < 1 ? "calls" : "all",
    rate: percent(rule.rate ?? 1), key: rule.key ?? "header:x-user-id", kind, fault: KINDS[kind].read(fault),
    ttl: rule.ttl ?? "10m", max: rule.max_active === undefined ? "" : String(rule.max_active),
    rail: rail ? percent(rail.error_ratio) : "", railSite: rail ? rail.site ?? rule.site : railSite, id: rule.id, reason: rule.reason ?? "",
  };
}

/** Says the fields in words, with what else the rule `base` does. @param {Values} values */
export function words(values, base = {}) {
  const share = base.program ? "A share, by a program," : `${values.rate} %`;
  const who = { users: `${share} of users, always the same,`, calls: `${share} of calls`, all: base.program ? `${share} of calls` : "All calls" }[values.of];
  const method = values.method === "any" ? "" : `${values.method} `;
  const extras = values.extras.filter(({ value }) => value).map(({ kind, name, value }) => `${EXTRAS[kind]} ${name ? `${name}: ` : ""}${value}`);
  const most = `${values.max === "" ? "" : `, at most ${values.max} at once`}${base.limit === undefined ? "" : `, at most ${count(base.limit)} in all`}`;
  const more = (base.faults ?? []).slice(1).map((fault) => ` and ${faultWords(fault)}`).join("");
  const mode = base.mode === "shadow" ? "In shadow, so that nobody is hit: " : "";
  const end = values.ttl === "never" ? "until someone ends it" : `for ${duration(values.ttl)}`;
  const rail = values.railSite && values.rail !== "" ? ` All stops if more than ${values.rail} % of ${values.railSite}'s calls fail.` : "";
  const to = `${method}${values.path || values.site || "…"}${extras.length ? ` with ${extras.join(", ")}` : ""}`;
  return `${mode}${who} to ${to} ${KINDS[values.kind].says(values.fault)}${more}${most}, ${end}.${rail}`;
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** What the short grammar reads as the kind of an error, and JSON as its message. */
const MAY_BE_KIND = /^([a-z]+(_[a-z]+)+|interrupted|other|unsupported)$/;
/** A text that needs no quotes in the short grammar. */
const PLAIN = /^[\w.:-]([\w ._:-]*[\w.:-])?$/;

/** Returns the fault in the short grammar; `null` if it has none. */
function term(fault) {
  if (fault === null || typeof fault !== "object") return null;
  const [entry, ...more] = Object.entries(fault);
  if (!entry || more.length) return null;
  const [kind, value] = entry;
  if (typeof value !== "string") return `${kind}(${JSON.stringify(value)})`;
  if (kind === "error" && MAY_BE_KIND.test(value)) return null;
  return `${kind}(${PLAIN.test(value) && kind !== "value" ? value : JSON.stringify(value)})`;
}

/** What the command has options for. */
const OPTIONS = ["id", "site", "match", "rate", "key", "limit", "max_active", "ttl", "reason", "mode", "guards", "faults", "enabled"];

/** Returns the command that makes a rule. */
export function command(rule) {
  const terms = rule.faults.map(term);
  const matching = rule.match ?? {};
  const isSimple = terms.length > 0 && !terms.includes(null) && Object.keys(rule).every((field) => OPTIONS.includes(field)) && rule.enabled !== false
    && (rule.guards ?? []).every((guard) => isRail(guard) && Object.keys(guard).every((field) => ["site", "error_ratio"].includes(field)))
    && Object.values(matching).flatMap((value) => (typeof value === "object" && !Array.isArray(value) ? Object.values(value) : value)).every((value) => typeof value === "string");
  if (!isSimple) return `chaosctl apply -f - <<'END'\n${JSON.stringify({ rules: [rule] }, null, 2)}\nEND`;
  const share = rule.rate === undefined || rule.rate === 1 ? "" : `${percentOf(rule.rate)}%`;
  const options = [
    ["--id", rule.id], ...[matching.method ?? []].flat().map((method) => ["--method", method]),
    ["--path", matching.path], ["--host", matching.host],
    ...Object.entries(matching.headers ?? {}).map(([name, value]) => ["-H", `${name}: ${value}`]),
    ...Object.entries(matching.query ?? {}).map(([name, value]) => ["--query", `${name}=${value}`]),
    ...Object.entries(matching.labels ?? {}).map(([name, value]) => ["--label", `${name}=${value}`]),
    ["--key", rule.key], ["--limit", rule.limit], ["--max-active", rule.max_active], ["--ttl", rule.ttl],
    ...(rule.guards ?? []).map((guard) => ["--guard", `${guard.site ?? rule.site} errors<${percentOf(guard.error_ratio)}%`]),
    ["--reason", rule.reason],
  ].filter(([, value]) => value !== undefined && value !== "");
  const said = options.map(([option, value]) => `${option} ${/^[\w.:/-]+$/.test(value) ? value : quoted(value)}`);
  if (rule.mode === "shadow") said.push("--shadow");
  return [`chaosctl arm ${quoted(`${rule.site}=${share}${terms.join("+")}`)}`, ...said].join(" \\\n  ");
}

const percentOf = (share) => Number((share * 100).toFixed(6));

/** Returns the button's words for a time to live. */
export const armWords = (ttl) => (ttl === "never" ? "Arm without an end" : `Arm for ${duration(ttl)}`);

/** Suggests a name for a rule: where, and what. */
export function suggest({ site, path, kind, fault }, taken) {
  const parts = path.split("/").filter((part) => part && !part.startsWith("{"));
  const where = parts.at(-1) ?? site;
  const what = kind === "status" ? fault[0] : kind === "all others" ? "fault" : kind;
  const name = `${where}-${what}`.replace(/[^\w.:-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 100) || "rule";
  for (let at = 1; ; at++) {
    const id = at === 1 ? name : `${name}-${at}`;
    if (!taken.has(id)) return id;
  }
}
