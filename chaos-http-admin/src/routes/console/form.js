// The form of a rule: fields on the left, and on the right what it will do, whom it would hit and what is sent.

import { ask, get, Refusal, rulePath } from "./api.js";
import { check, clearProblems, showRefusal } from "./check.js";
import { armWords, command, compose, fieldsOf, isRail, KINDS, suggest, words } from "./compose.js";
import { chips, choose, chosen, element, find, later, soon, write } from "./dom.js";
import { difference, edit, written } from "./edits.js";
import { addExtra, extras } from "./extras.js";
import { refresh } from "./poll.js";
import { samples } from "./samples.js";
import { resetShadow, startShadow } from "./shadow.js";
import { ruleOf, siteOf, state } from "./state.js";
import { failure, tell } from "./told.js";
import { rate, seconds, time } from "./words.js";

const TTLS = [["1m", "1 min"], ["5m", "5 min"], ["10m", "10 min"], ["1h", "1 h"]];
const FIRST_SITE = "http.server";
/** How many sites the browser is offered: those that fit what is typed. */
const OFFERED = 40;

const dialog = find("form");
/**
 * The rule whose other fields stay; the rule that is changed as it was seen, with the tag of its list; and what its fields
 * say of it: a port writes much in other words, and what nobody has touched is sent as it was written.
 */
let base = {}, seen = null, tag = "*", said = null, named = false;

/** Returns what the fields hold. */
function values() {
  return {
    site: find("f-site").value.trim(), method: find("f-method").value, path: find("f-path").value.trim(),
    extras: extras(),
    of: chosen("of"), rate: find("f-rate").value.trim(), key: find("f-key").value.trim(), kind: chosen("f-kind"),
    fault: [...find("f-fault").querySelectorAll("input")].map((input) => input.value), ttl: chosen("f-ttl") ?? "5m",
    max: find("f-max").value.trim(), rail: find("f-rail").value.trim(), railSite: railSite(),
    id: find("f-id").value.trim(), reason: find("f-reason").value,
  };
}

/** Returns the site whose errors the form's guard rail bounds: that of the rule's, else the layer that is aimed at, or where requests come in. */
function railSite() {
  const rail = (base.guards ?? []).find(isRail);
  if (rail) return rail.site ?? base.site;
  const own = siteOf(find("f-site").value.trim());
  if (own?.kind === "layer") return own.name;
  const layers = state.sites.filter((site) => site.kind === "layer").map((site) => site.name);
  return layers.includes(FIRST_SITE) ? FIRST_SITE : layers[0] ?? null;
}

/** Returns the rule of the fields; `null` if what is typed as JSON is none. */
function rule() {
  try {
    const made = compose(values(), base);
    return said ? upon(base, difference(said, made)) : made;
  } catch {
    return null;
  }
}

/** Returns a rule with changes. */
function upon(rule, changes) {
  const made = { ...rule };
  for (const [field, , value] of changes) {
    if (value === undefined) delete made[field];
    else made[field] = value;
  }
  return made;
}

/** Shows the fields of the chosen kind of fault. */
function showFault(given) {
  find("f-fault").replaceChildren(...KINDS[chosen("f-kind")].fields.map(([label, usual, width], at) =>
    element("label", { className: width === "wide" ? "grow" : "" }, label,
      element("input", { className: width, value: given?.[at] ?? usual, autocomplete: "off", oninput: changed }))));
  for (const input of find("f-fault").querySelectorAll("input")) input.setAttribute("aria-describedby", "e-fault w-fault");
}

/** Fills the fields with what is given. */
function fill(fields) {
  find("f-site").value = fields.site;
  if (![...find("f-method").options].some((option) => option.value === fields.method)) {
    find("f-method").append(element("option", { textContent: fields.method }));
  }
  find("f-method").value = fields.method;
  find("f-path").value = fields.path;
  find("f-extra").replaceChildren();
  for (const extra of fields.extras) addExtra(extra, changed);
  choose("of", fields.of);
  find("f-rate").value = fields.rate;
  find("f-key").value = fields.key;
  choose("f-kind", fields.kind);
  showFault(fields.fault);
  showTtls(fields.ttl);
  find("f-max").value = fields.max;
  find("f-rail").value = fields.rail;
  find("f-id").value = fields.id;
  find("f-reason").value = fields.reason;
}

/** Offers the usual times, and that of the rule. */
function showTtls(ttl) {
  find("f-ttls").replaceChildren();
  const others = TTLS.some(([value]) => value === ttl) ? [] : [[ttl, ttl === "never" ? "no end" : ttl]];
  chips(find("f-ttls"), "f-ttl", [...TTLS, ...others], changed);
  choose("f-ttl", ttl);
}

/** Opens the form with these fields. */
function open(title, fields, { id = null, of = {} } = {}) {
  [base, seen, tag, said, named] = [of, id === null ? null : ruleOf(id), state.tag, null, id !== null];
  write(find("f-said"), "");
  clearProblems();
  resetShadow();
  find("f-arm").disabled = false;
  fill(fields);
  if (id !== null) said = rule();
  find("f-id").readOnly = id !== null;
  write(find("form-h"), title);
  offerSites();
  show();
  dialog.showModal();
  find("f-site").focus();
  offerRoutes();
  check(rule(), id);
}

/** Opens the form for a new rule, at a site if one is given. */
export function openNew(site) {
  const first = siteOf(FIRST_SITE) ?? state.sites.find((one) => one.kind === "layer") ?? state.sites[0];
  const usual = {
    site: site ?? first?.name ?? FIRST_SITE, method: "any", path: "", extras: [], of: "calls", rate: "10", key: "header:x-user-id",
    kind: "status", fault: ["503"], ttl: "5m", max: "20", rail: "10", railSite: null, id: "", reason: "",
  };
  // Only a layer can answer with a status.
  const kind = siteOf(usual.site)?.kind;
  if (kind && kind !== "layer") Object.assign(usual, { kind: "slow", fault: ["200", "500"] });
  open("New rule", usual);
}

/** Opens the form for a change of a rule. */
export function openEdit(id) {
  const of = written(ruleOf(id));
  if (!of) return;
  open(`Edit ${id}`, fieldsOf(of, railSite()), { id, of });
}

/** Opens the form for a new rule like another one. */
export function openDuplicate(id) {
  // A copy is armed, whatever the rule is.
  const { id: _, enabled: __, ...of } = written(ruleOf(id)) ?? {};
  if (!of.site) return;
  open(`Duplicate ${id}`, { ...fieldsOf({ ...of, id: "" }, railSite()), id: "" }, { of });
}

function offerSites() {
  const word = find("f-site").value.toLowerCase();
  const fits = state.sites.filter((site) => site.name.toLowerCase().includes(word));
  const offered = (fits.length > 1 ? fits : state.sites).slice(0, OFFERED);
  find("f-sites").replaceChildren(...offered.map((site) => element("option", { value: site.name })));
}

/** Offers the routes that were seen at the site, and those that rules have. */
async function offerRoutes() {
  const site = find("f-site").value.trim();
  const seen = siteOf(site) ? await get(`/v1/sites/${encodeURIComponent(site)}/seen`).catch(() => null) : null;
  const paths = new Set([...(seen?.paths ?? seen?.routes ?? []), ...state.rules.map((rule) => rule.match?.path).filter((path) => typeof path === "string")]);
  write(find("f-path-label"), seen ? "Route, of those seen in the last minute" : "Route");
  find("f-paths").replaceChildren(...[...paths].slice(0, 100).map((value) => element("option", { value })));
}

/** Shows what follows from the fields. */
function show() {
  const now = values();
  if (!named) {
    find("f-id").value = suggest(now, new Set(state.rules.map((rule) => rule.id)));
    now.id = find("f-id").value;
  }
  find("f-rate-label").hidden = now.of === "all";
  find("f-key-label").hidden = now.of !== "users";
  write(find("f-rail-label"), now.railSite ? `Stop all if errors of ${now.railSite} pass, %` : "");
  find("f-rail-label").parentElement.hidden = !now.railSite;
  write(find("f-site-says"), siteWords(now.site));
  const made = rule();
  write(find("f-words"), `${words(now, base)}${seen ? made && isReason(made) ? " Its counts go on." : " Its counts begin anew." : ""}`);
  const { id, ...body } = made ?? {};
  write(find("f-json"), made === null ? "" : chosen("as") === "json" ? request(id, body) : command(made));
  write(find("f-arm"), seen ? "Save the changes" : armWords(now.ttl));
  showEnd(now.ttl);
}

function request(id, body) {
  const [verb, sent] = isReason({ id, ...body }) ? ["PATCH", { reason: body.reason ?? null }] : ["PUT", body];
  return `${verb} /v1/rules/${id}\n${JSON.stringify(sent, null, 2)}`;
}

function showEnd(ttl) {
  find("f-ends-line").hidden = ttl === "never";
  const end = seconds(ttl);
  if (end !== null) write(find("f-ends"), time(new Date(Date.now() + end * 1000)));
}

function siteWords(name) {
  const site = siteOf(name);
  if (!site) return name.includes("*") ? "All sites whose names fit." : "No such site yet. The rule would wait for it.";
  const calls = samples.at(-1)?.sites[name]?.calls;
  return `${site.kind}, ${calls === undefined ? "not counted while nobody watches it" : `${rate(calls)} calls/s now`}, ${site.file}:${site.line}`;
}

const checkSoon = later(() => dialog.open && check(rule(), seen?.id ?? null), 400);
const showSoon = soon(show);
function changed() {
  showSoon();
  checkSoon();
}

/** Says whether another reason is all that differs from the rule that is seen. */
const isReason = (made) => seen !== null && difference(seen, made).every(([field]) => field === "reason");

/** Returns how a rule is sent: another reason alone leaves its counts as they are. */
function sending({ id, ...body }) {
  if (!seen) {
    return async () => {
      await expectNone(id);
      return ask("PUT", rulePath(id), { body, isNew: true });
    };
  }
  return isReason({ id, ...body })
    ? (tag) => ask("PATCH", rulePath(id), { body: { reason: body.reason ?? null }, tag })
    : (tag) => ask("PUT", rulePath(id), { body, tag });
}

/** Refuses a name that a rule has, also one that somebody else has just made. A port may not know how to refuse it. */
async function expectNone(id) {
  const other = await get(rulePath(id)).catch((error) => {
    if (error.status !== 404) throw error;
    return null;
  });
  if (other) throw new Refusal(409, { field: "id", detail: `there is a rule ${id} already`, allowed: "another name, or Edit of that rule" });
}

/** Arms the rule. */
async function send() {
  // What was typed last may not have been painted yet, and the name follows from it.
  show();
  const made = rule();
  if (made === null) return check(null, null);
  checkSoon.cancel();
  find("f-arm").disabled = true;
  try {
    const { id } = made;
    const answer = await edit(id, seen, sending(made), tag);
    dialog.close();
    const warnings = answer.body?.warnings ?? [];
    tell(`${id} is ${seen ? "changed" : state.status?.state === "halted" ? "made, and does nothing until someone resumes" : "armed"}${warnings.length ? `, with a warning: ${warnings[0].detail}` : ""}`);
  } catch (error) {
    if (error instanceof Refusal) showRefusal(error);
    else write(find("f-said"), failure(error));
  } finally {
    find("f-arm").disabled = false;
    await refresh();
  }
}

chips(find("f-kinds"), "f-kind", Object.keys(KINDS).map((kind) => [kind, kind]), () => { showFault(); changed(); });
dialog.querySelector("form").onsubmit = (event) => { event.preventDefault(); send(); };
dialog.addEventListener("input", changed);
find("f-id").oninput = () => { named = true; };
find("f-site").onchange = offerRoutes;
find("f-site").oninput = soon(offerSites);
find("f-add").onclick = () => addExtra({}, changed).focus();
find("f-try").onclick = () => startShadow(rule());
dialog.onclose = resetShadow;
find("new").onclick = () => openNew();
