// Why calls are hit, or not: what became of those that came by, and of one call that is asked about.

import { ask } from "./api.js";
import { element, find, write } from "./dom.js";
import { hits, isShadow, ruleOf, siteOf } from "./state.js";
import { failure } from "./told.js";
import { count, percent } from "./words.js";

let asked = null;

/** Opens the explanation of a rule. */
export function openExplain(id) {
  const rule = ruleOf(id);
  if (!rule) return;
  asked = rule;
  const about = find("explain-about");
  about.replaceChildren("Since it was armed, at ", element("code", { textContent: rule.site }), ", for ", element("b", { textContent: rule.id }), ":");
  find("explain-list").replaceChildren(...becameOf(rule).map(([words, number, is]) => element("tr", {},
    element("th", { scope: "row" }, element("span", { className: is === "minus" ? "soft" : "", textContent: words })),
    element("td", { className: "n number" }, element(is === "hit" ? "b" : "span", { textContent: `${is === "minus" ? "−" : ""}${count(number)}` })))));
  write(find("explain-says"), "");
  find("explain-fields").replaceChildren(...fields(rule));
  find("explain").showModal();
}

/** Returns what became of the calls that a rule matched. */
function becameOf(rule) {
  const { matched = 0, overflow = {}, evicted = 0 } = rule.stats ?? {};
  const spared = Object.entries(overflow);
  const rest = matched - hits(rule) - spared.reduce((sum, [, calls]) => sum + calls, 0);
  const why = (rule.rate ?? 1) < 1 ? `the draw said no (${percent(rule.rate)} asked)` : "left alone by its trigger";
  return [
    ["matched", matched],
    ...(rest > 0 ? [[why, rest, "minus"]] : []),
    ...spared.map(([limit, calls]) => [`spared by ${limit}${rule[limit] ? ` ${rule[limit]}` : ""}`, calls, "minus"]),
    [isShadow(rule) ? "would be hit" : "hit", hits(rule), "hit"],
    ...(evicted > 0 ? [["keys forgotten, because there were too many", evicted]] : []),
  ];
}

const field = (label, name, value, width) =>
  element("label", { className: width === "wide" ? "grow" : "" }, label, element("input", { className: width, value, name, autocomplete: "off" }));

/** Returns the fields of one call: what the rule asks of it. */
function fields({ site, match = {}, key }) {
  const plain = (value) => (typeof value === "string" ? value : "");
  const takes = siteOf(site)?.kind;
  const request = takes === undefined || takes === "layer";
  const names = new Set([
    ...Object.keys(match.headers ?? {}).map((name) => `header:${name}`), ...Object.keys(match.query ?? {}).map((name) => `query:${name}`),
    ...Object.keys(match.labels ?? {}).map((name) => `label:${name}`), ...(/^(header|query|label):/.test(key ?? "") ? [key] : []),
    ...(request ? [] : (siteOf(site)?.labels ?? []).map((label) => `label:${label}`)),
  ]);
  const known = { header: match.headers, query: match.query, label: match.labels };
  return [
    ...(request ? [field("Method", "method", [match.method ?? "GET"].flat()[0], "w4"), field("Path", "path", plain(match.path) || "/", "wide")] : []),
    ...(match.host ? [field("Host", "host", plain(match.host), "w8")] : []),
    ...[...names].map((name) => {
      const [kind, ...rest] = name.split(":");
      return field(`${kind} ${rest.join(":")}`, name, plain(known[kind]?.[rest.join(":")]), "w8");
    }),
  ];
}

/** Returns the call of the fields. */
function call() {
  const made = { };
  const parts = { header: "headers", query: "query", label: "labels" };
  for (const { name, value } of find("explain-fields").querySelectorAll("input")) {
    const [kind, ...rest] = name.split(":");
    if (!rest.length) made[name] = value;
    else if (value !== "") made[parts[kind]] = { ...made[parts[kind]], [rest.join(":")]: value };
  }
  return made;
}

find("explain").querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  if (!asked) return;
  // A pattern of sites is asked about at one of them.
  const site = asked.sites?.includes(asked.site) || !asked.sites?.length ? asked.site : asked.sites[0];
  try {
    const { body } = await ask("POST", "/v1/explain", { body: { site, call: call() } });
    write(find("explain-says"), explanation(body, asked.id));
  } catch (error) {
    write(find("explain-says"), failure(error));
  }
};

/** What keeps a rule from injecting, in words. Others are said as they are. */
const OBSTACLES = {
  halted: "everything is halted", disabled: "the rule is off", ended: "the rule has ended", shadow: "the rule is in shadow",
  exempt: "the site exempts such calls", outside_of_policy: "the policy does not allow it", no_fault: "none of its faults can happen here",
  outside_of_window: "it is outside of its hours", no_key: "the call has no key", limit_used_up: "its limit is used up", lapsed: "its leash is over",
  max_active: "as many calls as it may are hit now",
};

/** Says what the port answers for a rule. */
function explanation({ rules }, id) {
  const said = rules.find(({ rule }) => rule === id);
  if (!said) return `${id} does not aim at this site.`;
  const { mismatches, key, draw, rate, obstacles, hits } = said;
  if (mismatches.length) return `Does not match: ${mismatches.map(mismatch).join("; ")}.`;
  const who = key?.value ?? "the call";
  const number = typeof draw === "number" ? ` ${who} draws ${draw.toFixed(2)}, hit below ${rate.toFixed(2)}.` : "";
  if (obstacles.length) return `Matches, and is left alone: ${obstacles.map((name) => OBSTACLES[name] ?? name).join(", ")}.${number}`;
  if (hits === null) return `Matches; chance decides, or what other calls there are: ${percent(rate)} of such calls are hit.`;
  return `Matches, and is ${hits ? "hit" : "left alone"}.${number}`;
}

const mismatch = ({ field, wanted, got }) =>
  `${field.replace(/^match\./, "")} is ${got.length ? got.join(", ") : "missing"}, wanted ${typeof wanted === "string" ? wanted : JSON.stringify(wanted)}`;
