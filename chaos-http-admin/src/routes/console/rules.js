// The list of rules.

import { element, find, write } from "./dom.js";
import { filtered } from "./filter.js";
import { ruleRow } from "./rule_row.js";
import { hits, isLive, isShadow, on, owner, state } from "./state.js";
import { count } from "./words.js";

/** A port without tokens calls everyone so. */
const me = () => state.you.name ?? "anyone";

const head = element("li", { className: "head" },
  ...["on", "rule", "what it did", "whose and why", "time left", ""].map((textContent) => element("span", { textContent })));
head.setAttribute("aria-hidden", "true");

const none = element("li", { className: "none" }, element("p"));

const list = filtered({
  name: "rule",
  kinds: {
    all: () => true,
    "doing something": (rule) => isLive(rule) && hits(rule) > 0,
    "aimed, no hit": (rule) => isLive(rule) && hits(rule) === 0,
    shadow: isShadow,
    "off or ended": (rule) => !isLive(rule),
    mine: (rule) => owner(rule) === me(),
  },
  items: () => state.rules,
  key: (rule) => rule.id,
  words: (rule) => `${rule.id} ${rule.site} ${rule.reason ?? ""} ${owner(rule) ?? ""}`,
  row: ruleRow,
  head,
  none: (any) => {
    write(none.firstChild, any ? "No rule is like that." : "No rules. Make one, or start from a site below.");
    return none;
  },
});

on("rules", () => {
  list.show();
  write(find("nav-rules"), count(state.rules.length));
});
on("counts entries status you paused", list.update);
on("second", () => state.paused || list.each((row, rule) => row.tick(rule)));
