// Who did what, and why, with before and after, and how it is undone.

import { ask } from "./api.js";
import { sure } from "./dialogs.js";
import { element, find, forget, place } from "./dom.js";
import { difference, differenceWords } from "./edits.js";
import { refresh } from "./poll.js";
import { isHalted, may, on, state } from "./state.js";
import { tell } from "./told.js";
import { cut, many, time } from "./words.js";

const PAGE = 25;
const UNDONE = ["put", "edit", "remove", "replace", "undo"];
/** The colour of an entry's dot. */
const DOTS = { put: "arm", edit: "arm", replace: "arm", resume: "arm", extend: "arm", undo: "arm", halt: "halt", breach: "breach" };

let pages = 1;
/** Entries never change, so each is made once. */
const made = new Map();

const keyOf = ({ id, at }) => `${id} ${at}`;

/** Says what an entry did. */
export function entryWords({ action, what, changes = [] }) {
  const [one] = changes;
  const name = one?.rule ?? what ?? "";
  switch (action) {
    case "put": return one && !one.before ? `made ${name}${one.after?.mode === "shadow" ? " in shadow" : ""}` : changeWords(one, name);
    case "edit": return changeWords(one, name);
    case "remove": return `deleted ${changes.length > 1 ? many(changes.length, "rule") : name}`;
    case "replace": return replaced(changes);
    case "extend": return `extended ${name}${what && what !== name ? `: ${what}` : ""}`;
    case "undo": return `undid ${what ?? "a change"}`;
    case "halt": return "halted everything";
    case "resume": return "resumed";
    case "release": return `let go the calls that ${name} held`;
    case "acknowledge": return "took note of a breach";
    case "sign": return "signed a token";
    case "expire": return `ended ${name}`;
    case "breach": return "stopped what was injected";
    case "reload": return "read a file again";
    case "refuse": return "was refused";
    default: return `${action} ${name}`;
  }
}

function changeWords(change, name) {
  if (!change?.after) return `changed ${name}`;
  const changes = difference(change.before, change.after);
  if (changes.length === 1 && changes[0][0] === "enabled") return `turned ${name} ${change.after.enabled === false ? "off" : "on"}`;
  if (!changes.length) return `armed ${name} anew`;
  return `changed ${name}: ${differenceWords(changes.slice(0, 3))}${changes.length > 3 ? " and more" : ""}`;
}

function replaced(changes) {
  const [made, gone] = [changes.filter(({ before }) => !before).length, changes.filter(({ after }) => !after).length];
  const parts = [made && `${made} made`, changes.length - made - gone && `${changes.length - made - gone} changed`, gone && `${gone} deleted`];
  return `replaced all rules: ${parts.filter(Boolean).join(", ") || "none changed"}`;
}

/** What has no actor of its own is done by the port or a deadline. */
const actor = (entry) => (entry.action === "expire" ? "deadline" : entry.action === "breach" ? "guard rail" : entry.actor);

/** Says why, or what more is known. */
function more(entry) {
  const what = ["refuse", "breach", "resume", "acknowledge", "sign", "reload", "halt"].includes(entry.action) ? entry.what : null;
  const reason = entry.reason ?? (UNDONE.includes(entry.action) ? entry.changes?.[0]?.after?.reason : null);
  const none = ["expire", "breach", "refuse", "reload", "extend", "undo", "release"].includes(entry.action) ? "" : "no reason given";
  return cut([reason ?? (what ? "" : none), what].filter(Boolean).join("; "));
}

function row(entry) {
  const said = entryWords(entry), why = more(entry);
  const changes = entry.changes ?? [];
  const li = element("li", { dataset: { a: DOTS[entry.action] ?? "" } },
    element("p", {}, element("time", { className: "number small", dateTime: entry.at, textContent: time(new Date(entry.at)) }), " ",
      element("b", { textContent: actor(entry) }), ` ${said}`),
    why && element("p", { className: "small soft", textContent: why }));
  if (!changes.length) return li;
  const pre = element("pre");
  const details = element("details", {}, element("summary", { className: "small", textContent: "Before and after", ariaLabel: `Before and after: ${said}` }), pre);
  details.ontoggle = () => {
    const shown = changes.map(({ before, after }) => ({ before, after }));
    pre.textContent = details.open ? JSON.stringify(shown.length === 1 ? shown[0] : shown, null, 1) : "";
  };
  const undo = UNDONE.includes(entry.action) && may("arm")
    && element("button", { type: "button", className: "plain small", textContent: "Undo…", ariaLabel: `Undo… ${said}`, onclick: () => askUndo(entry) });
  li.append(element("div", { className: "row" }, details, undo));
  return li;
}

function askUndo(entry) {
  const said = entryWords(entry);
  sure({
    title: "Undo this?", button: "Undo",
    says: [`${time(new Date(entry.at))} ${actor(entry)} ${said}.`,
      `What was there before comes back to its place in the order${isHalted() ? "" : ", and may be armed at once"}. If somebody has changed it since, this is refused.`],
    work: async () => {
      await ask("POST", "/v1/undo", { body: { entry: entry.id } });
      tell(`Undone: ${said}`);
      await refresh();
    },
  });
}

function show() {
  const shown = state.entries.slice(0, pages * PAGE);
  const rows = shown.map((entry) => {
    const key = keyOf(entry);
    if (!made.has(key)) made.set(key, row(entry));
    return made.get(key);
  });
  place(find("log-list"), rows.length ? rows : [element("li", { textContent: "Nothing yet in this process." })]);
  forget(made, new Set(state.entries.map(keyOf)));
  find("log-more").hidden = shown.length === state.entries.length;
}

find("log-more").firstElementChild.onclick = () => { pages += 1; show(); };
on("entries", show);
on("you", () => { made.clear(); show(); });
