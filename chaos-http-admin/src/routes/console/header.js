// The state, always in view: a word, a shape and a colour, and what is going on in one line.

import { find, set, write } from "./dom.js";
import { hasLive } from "./live.js";
import { samples } from "./samples.js";
import { isHalted, isLive, isShadow, left, may, on, state } from "./state.js";
import { tellOfOthers } from "./told.js";
import { clock, count, many, rate } from "./words.js";

const name = () => state.lost ? "unknown" : state.status?.state ?? "unknown";

function showState() {
  const is = name();
  set(document.body.dataset, "is", is);
  set(find("state").dataset, "is", is);
  write(find("state"), is === "unknown" ? "not known" : is);
  const service = serviceName();
  set(document, "title", `${find("state").textContent} – ${service} – chaos`);
  write(find("service"), service);
  write(find("process"), [state.status?.run, `on ${location.host}`].filter(Boolean).join(" "));
  find("main").hidden = !state.status && !state.lost;
  // Where the state is not known, a halt is what somebody may want.
  find("halt").hidden = is === "halted" || state.isLocked || !may("stop");
  find("resume").hidden = is !== "halted" || !may("arm");
  for (const one of document.querySelectorAll("[data-role]")) one.hidden = !may(one.dataset.role);
  showTotals();
}

/** Returns the name of the service, if the port has one to say. */
export const serviceName = () => state.status?.service ?? "This service";

/** The state that the totals speak of. */
let told = "";

/** Says the rules and the calls of the last second. A pause keeps them until the state is another one. */
function showTotals() {
  if (!state.status || (state.paused && name() === told)) return;
  told = name();
  const [armed, rest] = totals();
  write(find("totals-armed"), armed);
  write(find("totals"), rest);
}

function totals() {
  if (state.status.rules > 0 && !state.rules.length) return ["", ""];
  const live = state.rules.filter(isLive);
  const out = state.status.compiled_out ? " Its sites are compiled out: no rule can do anything." : "";
  if (isHalted()) {
    return ["", `Nothing is injected. ${live.length ? `${many(live.length, "rule")} ${live.length === 1 ? "waits" : "wait"} for someone to resume; their time goes on.` : "Nothing is armed."}${out}`];
  }
  if (!live.length) return ["", `Nothing is armed. A call at a site costs one load and one branch.${out}`];
  const shadows = live.filter(isShadow).length;
  const armed = `${many(live.length - shadows, "rule")} armed`;
  const next = live.filter((rule) => left(rule) !== null).sort((a, b) => left(a) - left(b))[0];
  const ends = next ? ` Next to end: ${next.id} in ${clock(left(next))}.` : "";
  return [armed, `${shadows ? `, ${count(shadows)} in shadow` : ""}. ${flow()}${ends}${out}`];
}

/** Says how many calls are hit each second, as far as that is counted. */
function flow() {
  const last = samples.at(-1);
  const active = last?.active ?? state.status.active;
  const held = active ? `, ${count(active)} held now` : "";
  const sites = Object.values(last?.sites ?? {});
  if (sites.length) {
    const sum = (field) => sites.reduce((sum, site) => sum + (site[field] ?? 0), 0);
    return `${rate(sum("hit"))} of ${rate(sum("calls"))} calls/s hit${held}.`;
  }
  if (hasLive() || last?.hit === null || last?.hit === undefined) return active ? `${count(active)} held now.` : "";
  return `${rate(last.hit)} of ${rate(last.matched)} matched calls/s hit${held}.`;
}

let wasHalted = null;

/** Tells that somebody else has halted or resumed. */
function tellOfHalts() {
  const is = isHalted();
  if (wasHalted !== null && is !== wasHalted) tellOfOthers(is ? `Halted by ${state.status.halted?.by ?? "somebody"}.` : "Resumed.");
  wasHalted = is;
}

on("status lost you", showState);
on("status", tellOfHalts);
on("rules counts samples second paused", showTotals);
