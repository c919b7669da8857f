// Changes of rules: each is refused if somebody else has changed the rule that is seen here, and says what has changed.

import { allRules, ask, Refusal, rulePath } from "./api.js";
import { refresh, takeOver } from "./poll.js";
import { isOver, ruleOf, state } from "./state.js";
import { failure, tell, tellRefusal } from "./told.js";
import { json } from "./words.js";

/** What the port adds to a rule as it was written. */
const ADDED = ["stats", "sites", "warnings", "read", "armed_by", "since", "deadline", "rate_now"];

/** Returns a rule as it was written. */
export const written = (rule) => rule && Object.fromEntries(Object.entries(rule).filter(([field]) => !ADDED.includes(field)));

/** Returns what differs between two rules, field by field. */
export function difference(before, after) {
  const [one, other] = [written(before) ?? {}, written(after) ?? {}];
  const fields = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return fields.map((field) => [field, one[field], other[field]])
    .filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b));
}

/** Says a difference in words. */
export const differenceWords = (changes) =>
  changes.map(([field, a, b]) => `${field} ${json(a)} → ${json(b)}`).join(", ");

/**
 * Sends a change with the tag of what is seen. If other rules have changed meanwhile, and not this one, it is sent
 * again with the new tag.
 * @param {string} id
 * @param {any} seen The rule as it is seen; nothing if there is none yet.
 * @param {(tag: string) => Promise<any>} send
 * @param {string} [tag] The tag of the list in which it was seen.
 */
export async function edit(id, seen, send, tag = state.tag) {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await send(tag);
      takeOver(answer, id);
      return answer;
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 412 || tries === 3) throw error;
      const now = await allRules();
      const other = now.rules.find((rule) => rule.id === id);
      const changes = difference(seen, other);
      if (changes.length) throw new Refusal(412, { detail: meanwhile(id, seen, other, changes) });
      tag = now.tag;
    }
  }
}

function meanwhile(id, seen, other, changes) {
  if (!other) return `somebody else has deleted ${id} meanwhile`;
  if (!seen) return `somebody else has made ${id} meanwhile`;
  return `somebody else has changed ${id} meanwhile: ${differenceWords(changes)}`;
}

/** Does a deed, tells of it, and shows what came of it. */
export async function act(deed, done) {
  try {
    const answer = await deed();
    tell(typeof done === "function" ? done(answer) : done);
    return true;
  } catch (error) {
    tellRefusal(failure(error));
    return false;
  } finally {
    await refresh();
  }
}

/** Turns a rule on or off. One that has ended is armed anew, which only a whole rule does. */
export function turn(id, enabled) {
  const rule = ruleOf(id);
  const send = enabled && isOver(rule)
    ? (tag) => ask("PUT", rulePath(id), { body: written(rule), tag })
    : (tag) => ask("PATCH", rulePath(id), { body: { enabled }, tag });
  return act(() => edit(id, rule, send), `${id} is ${enabled ? "on" : "off"}`);
}

/** Deletes a rule, as it was seen in the list with this tag. */
export const remove = (rule, tag) => edit(rule.id, rule, (tag) => ask("DELETE", rulePath(rule.id), { tag }), tag);
