// Halt in one press, the reason afterwards; and the way back, which lists what comes alive.

import { allRules, ask, get, Refusal } from "./api.js";
import { onSend } from "./dialogs.js";
import { element, find, set, write } from "./dom.js";
import { refresh } from "./poll.js";
import { sentence } from "./sentence.js";
import { isHalted, isLive, left, may, on, state, takeStatus } from "./state.js";
import { failure, tell, tellRefusal } from "./told.js";
import { clock, span } from "./words.js";

const PRESSED = "pressed in the console";
/** A halt waits longer for its answer than a poll: nothing is more important. */
const PATIENCE = 10_000;
/** How many rules the list before a resume shows one by one. */
const LISTED = 50;

async function halt() {
  try {
    const { body } = await ask("POST", "/v1/halt", { body: { reason: PRESSED }, patience: PATIENCE });
    tell("Halted. Nothing is injected. You may say why.");
    takeStatus(body);
    if (!find("why").hidden) find("reason").focus();
  } catch (error) {
    tellRefusal(error instanceof Refusal ? failure(error) : "The service did not answer: it is not known whether it is halted. Press again.");
  }
  await refresh();
}

async function saveReason() {
  const reason = find("reason").value;
  try {
    // Somebody may have resumed meanwhile, and a reason alone halts nothing.
    const status = await get("/v1/status");
    takeStatus(status);
    if (!isHalted()) return tellRefusal("Somebody has resumed meanwhile. The reason is not saved, and nothing is halted.");
    // A halt that there is already gets one more entry, and stands as it is.
    await ask("POST", "/v1/halt", { body: { reason } });
    find("reason").value = "";
    tell("The reason is saved.");
  } catch (error) {
    tellRefusal(failure(error));
  }
  await refresh();
}

/** Says who halts, since when, and the reasons that were given, also those that came later. */
function showWhy() {
  const { halted, breaches = [] } = state.status ?? {};
  // A guard rail's own halt has a banner of its own.
  find("why").hidden = !halted || (breaches.length > 0 && !people().length);
  if (!halted) return;
  find("why-form").hidden = !may("stop");
  showSince();
  const words = reasons();
  write(find("why-given"), words.join("; "));
  find("why-given").hidden = !words.length;
}

/** Returns the reasons of halts since the last resume: who halts again gives a reason, and holds as before. */
function laterReasons() {
  const resumed = state.entries.findIndex(({ action }) => action === "resume");
  const halts = state.entries.slice(0, resumed < 0 ? undefined : resumed).filter(({ action }) => action === "halt");
  return halts.map(({ actor, reason }) => ({ by: actor, reason })).reverse();
}

/** Returns who has halted and why, also what was said later, as `name: reason`. */
export function reasons() {
  const { halted } = state.status ?? {};
  if (!halted) return [];
  const given = [...people().map((holder) => ({ by: nameOf(holder), reason: holder.reason })), ...halted.also ?? [], ...laterReasons()];
  return [...new Set(given.filter(({ reason }) => reason && reason !== PRESSED).map(({ by, reason }) => `${by}: ${reason}`))];
}

/** Says who holds: the actor, and the fleet for which they do, if it is one. */
const nameOf = ({ by, fleet }) => fleet === undefined ? by : `${by} for the fleet ${fleet}`;

const people = () => (state.status?.halted?.holders ?? []).filter(({ kind }) => kind !== "guard_rail");

function showSince() {
  const halted = state.status?.halted;
  if (!halted) return;
  const by = [...new Set((halted.holders ?? [halted]).map(nameOf))].join(", ");
  const ago = halted.seconds_ago + (performance.now() - state.statusRead) / 1000;
  const free = halted.released ? ` ${halted.released} waiting calls were let go.` : "";
  write(find("why-h"), `Halted by ${by}, ${span(ago)} ago.${free}`);
}

let tag = null;

/** Shows what a resume makes alive: the list that is read now, whose tag the resume names. */
async function showAgain() {
  const read = await allRules();
  tag = read.tag;
  const now = performance.now();
  const live = read.rules.map((rule) => Object.assign(rule, { read: now })).filter(isLive);
  const rows = live.slice(0, LISTED).map((rule) => {
    const end = left(rule);
    return element("li", {}, element("b", { textContent: rule.id }), ` ${sentence(rule)} at ${rule.site}`,
      element("span", { className: "soft", textContent: end === null ? ", no end" : `, ends in ${clock(end)}` }));
  });
  if (live.length > LISTED) rows.push(element("li", { textContent: `and ${live.length - LISTED} more` }));
  if (!live.length) rows.push(element("li", { textContent: "No rule: all have ended or are off." }));
  find("again-list").replaceChildren(...rows);
}

/** Opens the list before a resume. */
export async function openAgain() {
  find("again-e").hidden = true;
  try {
    await showAgain();
  } catch (error) {
    return tellRefusal(failure(error));
  }
  find("again").showModal();
  find("again-why").focus();
}

async function resume() {
  const complain = (text) => { find("again-e").hidden = false; write(find("again-e"), text); };
  try {
    await ask("POST", "/v1/resume", { body: { reason: find("again-why").value }, tag });
  } catch (error) {
    complain(failure(error));
    if (error.status === 412) {
      await showAgain().catch(() => {});
      complain("Somebody has changed the rules meanwhile. This is the new list.");
    }
    return false;
  }
  find("again-why").value = "";
  tell("Resumed.");
  await refresh();
  return true;
}

find("halt").onclick = halt;
find("resume").onclick = openAgain;
find("why-form").onsubmit = (event) => { event.preventDefault(); saveReason(); };
onSend(find("again"), resume, find("halt"));
on("status entries", showWhy);
on("second", () => isHalted() && showSince());
on("status", () => set(find("resume"), "disabled", (state.status.breaches ?? []).length > 0));
