// One rule: its switch, what it does, what it did, whose it is and why, and how long it lasts.

import { ask, rulePath } from "./api.js";
import { sure } from "./dialogs.js";
import { element, set, svg, write } from "./dom.js";
import { act, remove, turn } from "./edits.js";
import { openExplain } from "./explain.js";
import { openDuplicate, openEdit } from "./form.js";
import { refresh, takeOver } from "./poll.js";
import { line, samples } from "./samples.js";
import { rails, sentence, warning } from "./sentence.js";
import { hits, isLeashed, isLive, isOn, isOver, isShadow, left, may, owner, ruleOf, state } from "./state.js";
import { tell } from "./told.js";
import { openWhom } from "./whom.js";
import { clock, count, cut, percent, seconds, time } from "./words.js";

const USUAL_TTL = 600;
const SOON = 60;

/** Makes the row of a rule; `update` shows what it is now. */
export function ruleRow({ id }) {
  const on = element("input", { type: "checkbox", role: "switch", className: "switch", ariaLabel: `${id} is on` });
  // What was pressed stays until the port has answered, whatever frames say meanwhile.
  let isTurning = false;
  on.onchange = async () => {
    isTurning = true;
    await turn(id, on.checked);
    isTurning = false;
    on.checked = isLive(ruleOf(id) ?? {});
  };
  const title = element("h3", { textContent: id });
  const what = element("span"), site = element("code"), tags = element("div", { className: "row" });
  const number = element("b"), hit = element("span"), share = element("span", { className: "soft" });
  const curve = svg("polyline", { "vector-effect": "non-scaling-stroke" });
  const spark = svg("svg", { class: "spark", viewBox: "0 0 120 26", preserveAspectRatio: "none", "aria-hidden": "true" }, curve);
  const who = element("b"), why = element("span");
  const ends = element("span", { className: "number" });
  const extend = element("button", { type: "button", className: "plain end", textContent: "+5 min", ariaLabel: `+5 min for ${id}` });
  extend.onclick = () => lengthen(id);
  const bar = element("progress", { ariaLabel: `Time left of ${id}` });
  const more = menu(id);
  const row = element("li", {}, on,
    element("div", { className: "name" }, title, element("p", { className: "what" }, what, " at ", site), tags),
    element("div", { className: "did" },
      element("p", { className: "small number" }, number, hit, element("br"), share), spark),
    element("div", { className: "who small" }, element("p", {}, who, why)),
    element("div", { className: "left" }, element("div", { className: "row small" }, ends, extend), bar),
    element("div", { className: "acts row" }, more.button), more.list);

  let drawn = "", timed = "";
  row.update = (rule) => {
    set(row.dataset, "mode", rule.mode ?? "inject");
    if (!isTurning) set(on, "checked", isLive(rule));
    set(on, "disabled", !may("arm"));
    write(what, sentence(rule));
    write(site, rule.site);
    const said = tagsOf(rule);
    if (JSON.stringify(said) !== drawn) {
      drawn = JSON.stringify(said);
      tags.replaceChildren(...said.map(([is, textContent]) => element("span", { className: `tag ${is}`, textContent })));
    }
    const by = owner(rule);
    write(who, by ?? "not known");
    write(why, rule.reason ? `: ${cut(rule.reason)}` : ": gave no reason");
    set(why, "className", rule.reason ? "" : "soft");
    // A pause keeps the numbers, and not what somebody has done.
    const now = `${isOn(rule)} ${isOver(rule)} ${rule.stats?.deadline}`;
    if (!state.paused || !timed) counts(rule);
    if (!state.paused || now !== timed) tick(rule);
    timed = now;
  };
  const counts = (rule) => {
    const [done, matched] = [hits(rule), rule.stats?.matched ?? 0];
    write(number, count(done));
    write(hit, isShadow(rule) ? " would be hit" : " hit");
    write(share, matched ? `of ${count(matched)}, ${percent(done / matched)}` : "of 0 that matched");
    const values = line(id, samples.at(-1)?.at ?? Date.now());
    const top = Math.max(...values);
    spark.toggleAttribute("hidden", top === 0);
    const points = top ? values.map((value, at) => `${((at * 120) / (values.length - 1)).toFixed(1)},${(25 - (value / top) * 23).toFixed(1)}`).join(" ") : "";
    if (curve.getAttribute("points") !== points) curve.setAttribute("points", points);
  };
  const tick = (rule) => {
    const time = left(rule), goesOn = isOn(rule) && !isOver(rule);
    write(ends, endWords(rule, time));
    extend.hidden = !goesOn || time === null || !may("arm");
    bar.hidden = !goesOn || time === null || isLeashed(rule);
    if (bar.hidden) return;
    const total = Math.max(seconds(rule.ttl ?? "") ?? USUAL_TTL, rule.stats.expires_in);
    set(bar, "max", total);
    set(bar, "value", Math.min(total, time));
    set(bar, "className", time < SOON ? "soon" : "");
  };
  row.tick = tick;
  return row;
}

function endWords(rule, time) {
  if (!isOn(rule)) return "off";
  if (time === null) return "no end";
  const isLapsed = isLeashed(rule) && !(Date.parse(rule.stats.deadline) <= Date.now());
  if (time === 0 && isLapsed) return "its leash is over";
  return time > 0 ? `ends in ${clock(time)}` : endedAt(rule);
}

/** Says when a rule has ended: by its deadline, or by the entry of the audit. */
function endedAt(rule) {
  const deadline = rule.stats?.deadline ?? rule.deadline;
  const entry = state.entries.find(({ action, what, changes = [] }) =>
    action === "expire" && (what === rule.id || changes.some((change) => change.rule === rule.id)));
  const at = Date.parse(deadline ?? entry?.at ?? "");
  return Number.isNaN(at) ? "ended" : `ended at ${time(new Date(at))}`;
}

/** Returns what is worth a word beside the sentence. */
function tagsOf(rule) {
  const broke = (state.status?.breaches ?? []).some((breach) => breach.rule === rule.id);
  return [
    ...(isShadow(rule) ? [["shadow", "shadow: hits nobody"]] : []),
    ...(isLeashed(rule) ? [["", "on a leash"]] : []),
    ...(rule.warnings ?? []).map(({ detail, suggestion, field }) => ["warn", warning(field, detail, suggestion)]),
    ...rails(rule).map((rail) => ["", `rail: ${rail}`]),
    ...(broke ? [["stop", "broke its rail"]] : []),
  ];
}

async function lengthen(id) {
  const send = async () => {
    const answer = await ask("POST", `${rulePath(id)}/extend`, { body: { by: "5m" } });
    takeOver(answer, id, 0);
    return answer;
  };
  await act(send, ({ body }) => {
    const expires = body?.stats?.expires_in ?? body?.expires_in;
    return `${id} ends ${typeof expires === "number" ? `in ${clock(expires)}` : "5 min later"}; its counts go on`;
  });
}

/** The menu that is open. @type {{ close: () => void, holds: (node: any) => boolean } | null} */
let opened = null;
document.addEventListener("click", ({ target }) => { if (!opened?.holds(target)) opened?.close(); });

/** Returns the button and the menu of a rule. The menu's buttons are made when it is opened: they would be many. */
function menu(id) {
  const list = element("ul", { className: "menu", hidden: true });
  const button = element("button", { type: "button", textContent: "More", ariaLabel: `More for ${id}`, ariaExpanded: "false" });
  const me = {
    holds: (node) => button.contains(node) || list.contains(node),
    open: () => {
      opened?.close();
      opened = me;
      list.replaceChildren(...deeds(id).map(([textContent, work]) => element("li", {},
        element("button", { type: "button", textContent, onclick: () => { me.close(); button.focus(); work(); } }))));
      show(true);
    },
    close: () => { opened = null; show(false); },
  };
  const show = (isOpen) => {
    list.hidden = !isOpen;
    button.ariaExpanded = String(isOpen);
  };
  button.onclick = () => (list.hidden ? me.open() : me.close());
  list.onkeydown = button.onkeydown = ({ key }) => {
    if (key !== "Escape" || list.hidden) return;
    me.close();
    button.focus();
  };
  return { button, list };
}

const deeds = (id) => [
  ["Explain…", () => openExplain(id)],
  ...(may("arm") ? [["Edit…", () => openEdit(id)], ["Duplicate…", () => openDuplicate(id)]] : []),
  ["Whom it hit", () => openWhom(id)],
  ...(may("stop") && ruleOf(id)?.faults?.some((fault) => "pause" in fault)
    ? [["Release those it holds", () => act(() => ask("POST", `${rulePath(id)}/release`), `The calls that ${id} held go on`)]] : []),
  ...(may("arm") ? [["Delete", () => askDelete(id)]] : []),
];

function askDelete(id) {
  const rule = ruleOf(id), { tag } = state;
  if (!rule) return;
  sure({
    title: `Delete ${id}?`, button: "Delete",
    says: [`${sentence(rule)} at ${rule.site}: ${count(hits(rule))} hit. Its counts go with it; the timeline can undo it.`],
    work: async () => { await remove(rule, tag); tell(`${id} is deleted`); await refresh(); },
  });
}
