// The list of sites: places in the program where faults can happen.

import { element, find, set, write } from "./dom.js";
import { filtered } from "./filter.js";
import { openNew } from "./form.js";
import { hasLive, watch, watched } from "./live.js";
import { samples } from "./samples.js";
import { may, on, state } from "./state.js";
import { count, many, rate } from "./words.js";

/** How many rules aim at each site. */
const aimed = new Map();

function siteRow({ name }) {
  const title = element("span", { textContent: name }), about = element("div", { className: "small soft place" });
  const number = element("span"), hit = element("td", { className: "n number", dataset: { label: "hit/s" } });
  const start = element("button", { type: "button", className: "plain small", textContent: "watch", ariaLabel: `watch ${name}: count its calls while this page is open` });
  start.onclick = () => watch(name);
  const aim = element("button", { type: "button", textContent: "Aim", ariaLabel: `Aim at ${name}: a new rule`, onclick: () => openNew(name) });
  const row = element("tr", {},
    element("th", { scope: "row" }, title, about),
    element("td", { className: "n number", dataset: { label: "calls/s" } }, number, start), hit,
    element("td", { className: "aim" }, aim));
  row.update = (site) => {
    const rules = aimed.get(name) ?? 0;
    const labels = site.labels?.length ? `, labels ${site.labels.join(", ")}` : "";
    write(about, `${site.kind}, ${site.file}:${site.line}${labels}${rules ? `, ${many(rules, "rule")}` : ""}`);
    row.toggleAttribute("data-aimed", rules > 0);
    set(aim, "hidden", !may("arm"));
    const counted = samples.at(-1)?.sites[name];
    set(start, "hidden", Boolean(counted) || watched.has(name) || !hasLive());
    if (state.paused) return;
    write(number, counted ? rate(counted.calls) : start.hidden ? "–" : "");
    write(hit, counted ? rate(counted.hit ?? 0) : "–");
  };
  return row;
}

const none = element("tr", {}, element("td", { colSpan: 4 }));

const list = filtered({
  name: "site",
  kinds: { all: () => true, "aimed at": (site) => aimed.has(site.name), "not aimed at": (site) => !aimed.has(site.name) },
  items: () => state.sites,
  key: (site) => site.name,
  words: (site) => `${site.name} ${site.file}:${site.line} ${(site.labels ?? []).join(" ")}`,
  row: siteRow,
  none: (any) => {
    write(none.firstChild, any ? "No site is like that." : "No site is known yet: each is listed from its first call on.");
    return none;
  },
});

/** Counts the rules that aim at each site, and says whether any count has changed. */
function countRules() {
  const before = JSON.stringify([...aimed]);
  aimed.clear();
  for (const rule of state.rules) for (const name of rule.sites ?? []) aimed.set(name, (aimed.get(name) ?? 0) + 1);
  return JSON.stringify([...aimed]) !== before;
}

on("sites", () => {
  list.show();
  write(find("nav-sites"), count(state.sites.length));
});
on("rules", () => countRules() && list.show());
on("samples paused you", list.update);
