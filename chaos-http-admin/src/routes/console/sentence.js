// What a rule does, in one sentence.

import { duration, percent, size } from "./words.js";

/** Says a condition on a text. */
function text(value) {
  if (Array.isArray(value)) return value.map(text).join(" or ");
  if (value === null || typeof value !== "object") return String(value);
  if ("prefix" in value) return `${value.prefix}…`;
  if ("suffix" in value) return `…${value.suffix}`;
  if ("regex" in value) return `/${value.regex}/`;
  if ("present" in value) return value.present ? "any" : "none";
  if ("not" in value) return `not ${text(value.not)}`;
  return JSON.stringify(value);
}

const named = (values = {}, sign) => Object.entries(values).map(([name, value]) => `${name}${sign}${text(value)}`);

/** Says which calls a rule matches; nothing if it matches all. */
export function calls(matching = {}) {
  const { method, path, host, headers, query, grpc, labels } = matching;
  const line = [method && text(method), path && text(path)].filter(Boolean).join(" ");
  const more = [
    grpc && `gRPC ${text(grpc)}`, host && `host ${text(host)}`,
    ...named(headers, ": "), ...named(query, "="), ...named(labels, "="),
  ].filter(Boolean);
  return [line, more.length && `${line ? "" : "calls "}with ${more.join(", ")}`].filter(Boolean).join(" ");
}

/** Says by what users are told from each other. */
export const key = (key) => key.replace(/^(header|query|label|cookie):/, "");

function latency(value) {
  if (typeof value === "string") return duration(value).replace("..", " to ");
  if (value.at_least) return `at least ${duration(value.at_least)}`;
  if (value.mean) return `about ${duration(value.mean)}`;
  if (value.pareto) return `${duration(value.pareto.min)} or more`;
  return Object.entries(value).filter(([name]) => /^p[0-9]/.test(name)).map(([name, at]) => `${name} ${duration(at)}`).join(", ");
}

function body(value) {
  if (value.truncate_after) return ["cut the body after", size(value.truncate_after)];
  if (value.throttle) return ["slow the body to", size(value.throttle)];
  if (value.stall_after) return ["stall the body after", size(value.stall_after)];
  if (value.first_byte) return ["delay the first byte by", duration(value.first_byte)];
  if (value.corrupt) return ["corrupt", `${percent(value.corrupt)} of the bytes`];
  if (value.chunk) return ["delay each piece by", duration(value.chunk)];
  return ["change the body", ""];
}

/** One entry for each kind: what it does to a call, as a thing that is given or as something that is done. */
const FAULTS = {
  latency: (value, fault) => ({ thing: latency(value), to: (fault.when ?? value.when) === "after" ? "after" : "before" }),
  status: (value) => ({ thing: `${value?.code ?? value}` }),
  grpc: (value) => ({ thing: `gRPC ${value?.code ?? value}` }),
  error: (value) => ({ thing: `error ${value?.kind ?? value?.message ?? value}` }),
  value: (value) => ({ thing: `the value ${JSON.stringify(value)}` }),
  abort: (value) => ({ deed: ["abort", value?.h2 ? `with HTTP/2 ${value.h2}` : `(${value})`] }),
  hang: (value) => ({ deed: ["hang for", duration(value)] }),
  pause: (value) => ({ deed: ["hold, for at most", duration(value.max)] }),
  block: (value) => ({ deed: ["block the thread for", duration(value)] }),
  body: (value) => ({ deed: body(value) }),
  headers: () => ({ deed: ["change headers", ""] }),
  burn: (value) => ({ deed: ["burn", value.memory ? size(value.memory) : "CPU time"] }),
  custom: (value) => ({ deed: ["do", value?.name] }),
  one_of: (value) => ({ thing: `one of ${value.map(({ fault }) => faultWords(fault)).join(", ")}` }),
};

function read(fault) {
  const kind = Object.keys(FAULTS).find((kind) => kind in fault);
  return kind ? FAULTS[kind](fault[kind], fault) : { thing: JSON.stringify(fault) };
}

/** Says one fault. */
export function faultWords(fault) {
  const { thing, deed } = read(fault);
  return thing ?? deed.filter(Boolean).join(" ");
}

/** Says which part of the calls is hit. */
function share(rule, to, which) {
  const { first_attempts: first, key: by, program, rate = 1, replay } = rule;
  if (replay) return ` ${to} the calls of a replay`;
  if (first) return ` on the first ${first.n === 1 ? "try" : `${first.n ?? 1} tries`} of each request${which && `, ${which}`}`;
  if (program) return ` ${to} ${which || "calls"}, by a program`;
  if (by && rate < 1) return ` ${to} ${which || "calls"}, for ${percent(rate)} of users (${key(by)})`;
  if (rate < 1) return ` ${to} ${percent(rate)} of ${which || "calls"}`;
  return which || to !== "to" ? ` ${to} ${which || "calls"}` : "";
}

/** Says what a rule does, without its site. */
export function sentence(rule) {
  const [first, ...others] = rule.faults ?? [];
  const { to = "to" } = first ? read(first) : {};
  const all = [first, ...others].filter(Boolean);
  const isDeed = first && read(first).deed;
  const would = rule.mode === "shadow" ? `would ${isDeed ? "" : "give "}` : "";
  return `${would}${all.map(faultWords).join(" and ")}${share(rule, to, calls(rule.match))}`;
}

/** Says the bounds of a rule's guard rails, each by itself. */
export function rails(rule) {
  return (rule.guards ?? []).flatMap((guard) => {
    const site = guard.site ?? rule.site;
    const over = guard.over_baseline ? " above calls left alone" : "";
    const quantiles = Object.entries({ ...guard.latency, ...guard.latency_to_end });
    return [
      ...(guard.error_ratio === undefined ? [] : [`errors of ${site} ≤ ${percent(guard.error_ratio)}${over}`]),
      ...quantiles.map(([name, most]) => `${name} of ${site} ≤ ${duration(most)}${over}`),
    ];
  });
}

/** Says a warning of the port. */
export function warning(field, detail, suggestion) {
  if (field === "site" && suggestion && /^[\w.:-]+$/.test(suggestion)) return `${detail}; did you mean ${suggestion}?`;
  return suggestion ? `${detail}; ${suggestion}` : detail;
}
