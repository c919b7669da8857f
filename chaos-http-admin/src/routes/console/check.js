// What the port would say to the rule of the form, at the fields that it is about: refusals, and warnings beside them.

import { ask, Refusal, rulePath } from "./api.js";
import { find, write } from "./dom.js";
import { warning } from "./sentence.js";

/** Where the problems of a field of a rule are shown: the part of the form, and the input. */
const PLACES = [
  [/^site/, "site", "f-site"],
  [/^match/, "match", "f-path"],
  [/^rate/, "rate", "f-rate"],
  [/^key/, "key", "f-key"],
  [/^faults/, "fault", "f-fault"],
  [/^ttl/, "ttl", "f-ttls"],
  [/^max_active/, "max", "f-max"],
  [/^guards/, "rail", "f-rail"],
  [/^id/, "id", "f-id"],
  [/^reason/, "reason", "f-reason"],
  [/^/, "other", null],
];

let asked = 0;

const placeOf = (field = "") => PLACES.find(([pattern]) => pattern.test(field));
/** Takes all problems away. */
export function clearProblems() {
  for (const [, name, input] of PLACES) {
    for (const node of [find(`e-${name}`), find(`w-${name}`)]) {
      if (!node) continue;
      node.hidden = true;
      write(node, "");
    }
    if (input) find(input).removeAttribute("aria-invalid");
  }
  for (const input of find("f-fault").querySelectorAll("input")) input.removeAttribute("aria-invalid");
}

/** Says a refusal: a share is typed in per cent here, and is a fraction to the port. */
function words(field, { message, allowed }) {
  const shown = /^(rate|guards)/.test(field) ? allowed?.replace(/\b0 to 1$/, "0 to 100") : allowed;
  return `${field ? `${field}: ` : ""}${message}.${shown ? ` Allowed: ${shown}.` : ""}`;
}

function put(sign, field, text) {
  const [, name, input] = placeOf(field);
  const node = find(`${sign}-${name}`) ?? find(`${sign}-other`);
  node.hidden = false;
  write(node, node.textContent ? `${node.textContent} ${text}` : text);
  if (sign !== "e" || !input) return;
  const invalid = find(input).matches("input") ? find(input) : find(input).querySelector("input");
  invalid?.setAttribute("aria-invalid", "true");
}

/** Shows a refusal at its field, and goes there. What was asked before does not take it away. */
export function showRefusal(error) {
  asked += 1;
  clearProblems();
  const field = error.field ?? "";
  put("e", field, words(field, error));
  const [, name, input] = placeOf(field);
  const at = input && find(input);
  (at?.matches("input") ? at : at?.querySelector("input"))?.focus();
  find(`e-${name}`)?.scrollIntoView({ block: "nearest" });
}

/** Asks the port what it would say to a rule, and shows it. Nothing is changed. */
export async function check(rule, id) {
  const mine = ++asked;
  if (rule === null) {
    clearProblems();
    return put("e", "faults", "faults: this is no JSON. Allowed: one fault as JSON, such as {\"abort\":\"reset\"}.");
  }
  let warnings = [], refusal = null;
  try {
    const { id: name, ...body } = rule;
    const answer = await ask("PUT", `${rulePath(name)}?dry_run=true`, { body });
    warnings = answer.body.warnings ?? [];
  } catch (error) {
    if (!(error instanceof Refusal)) return;
    refusal = error;
  }
  if (mine !== asked || !find("form").open) return;
  clearProblems();
  if (refusal) {
    const field = refusal.field ?? "";
    put("e", field, words(field, refusal));
  }
  for (const { field, detail, suggestion } of warnings) put("w", field, `${field}: ${warning(field, detail, suggestion)}.`);
  find("f-arm").disabled = Boolean(refusal) && id === null && refusal.status === 400;
}
