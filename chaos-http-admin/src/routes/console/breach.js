// A guard rail's breach: what was measured, what is allowed, and that somebody takes note of it.

import { ask } from "./api.js";
import { element, find, write } from "./dom.js";
import { openAgain } from "./halt.js";
import { refresh } from "./poll.js";
import { isHalted, may, on, state } from "./state.js";
import { failure, tell, tellRefusal } from "./told.js";
import { count, milliseconds, percent, span } from "./words.js";

let shown = "";

/** Says a measured value in the unit of its measure: a fraction of calls, or seconds. */
const value = ({ measure }, number) => (isRatio(measure) ? percent(number) : milliseconds(number * 1000));
const isRatio = (measure) => /error/.test(measure);

function measured(breach) {
  if (isRatio(breach.measure)) return "The error ratio";
  const quantile = typeof breach.quantile === "number" ? `p${Number((breach.quantile * 100).toFixed(6))}` : breach.quantile ?? "A latency";
  return /end/.test(breach.measure) ? `${quantile} to the end` : quantile;
}

const fact = (name, says) => element("div", {}, element("dt", { textContent: name }), element("dd", { className: "number", textContent: says }));

/** Shows one breach; an older port has only a sentence. */
function show(breach) {
  if (typeof breach === "string") return element("p", { textContent: breach });
  const { rule, site, baseline, calls, injected, window } = breach;
  const whose = rule ? [element("a", { href: "#rules", textContent: rule })] : ["the policy"];
  const above = breach.over_baseline ? " above calls left alone" : "";
  const time = typeof window === "number" ? `${window} s` : window;
  return element("div", {},
    element("p", {}, `${measured(breach)} of `, element("code", { textContent: site }), ` went above what ${rule ? "rule " : ""}`, ...whose, " allows."),
    element("dl", { className: "facts" },
      fact("measured", value(breach, breach.measured)),
      fact("allowed", `${value(breach, breach.allowed)}${above}`),
      baseline !== null && baseline !== undefined && fact("un-injected calls then", value(breach, baseline)),
      fact("judged on", `${count(calls)} calls in ${time}, ${count(injected)} injected`)));
}

function showAll() {
  const breaches = state.status?.breaches ?? [];
  find("breach").hidden = !breaches.length;
  find("breach-form").hidden = !may("arm");
  showSince();
  // What stands there keeps the focus and the selection.
  if (JSON.stringify(breaches) === shown) return;
  shown = JSON.stringify(breaches);
  find("breach-list").replaceChildren(...breaches.map(show));
  write(find("breach-note"), isHalted() ? "Take note, and stay halted" : "Take note");
  find("breach-resume").hidden = !isHalted();
}

function showSince() {
  const breaches = state.status?.breaches ?? [];
  if (!breaches.length) return;
  const did = isHalted() ? "halted everything" : `stopped ${breaches.map((breach) => breach.rule ?? "rules").join(", ")}`;
  const at = Math.max(...breaches.map((breach) => Date.parse(breach.at)).filter(Number.isFinite));
  const halted = state.status.halted?.seconds_ago;
  const ago = Number.isFinite(at) ? (Date.now() - at) / 1000
    : halted === undefined ? null : halted + (performance.now() - state.statusRead) / 1000;
  write(find("breach-h"), `A guard rail ${did}${ago === null ? "" : `, ${span(ago)} ago`}`);
}

find("breach-form").onsubmit = async (event) => {
  event.preventDefault();
  try {
    await ask("POST", "/v1/acknowledge", { body: { reason: find("seen").value } });
    find("seen").value = "";
    tell(isHalted() ? "Noted. It stays halted until someone resumes." : "Noted. The rule may be turned on again.");
  } catch (error) {
    tellRefusal(failure(error));
  }
  await refresh();
  if (isHalted()) find("resume").focus();
};
find("breach-resume").onclick = openAgain;
on("status", showAll);
on("second", showSince);
