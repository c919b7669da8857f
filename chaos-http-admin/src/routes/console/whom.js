// Whom a rule has hit: the keys or the numbers of the calls, where they can be told.

import { get, rulePath } from "./api.js";
import { find, write } from "./dom.js";
import { hits, ruleOf } from "./state.js";
import { failure, tellRefusal } from "./told.js";
import { count } from "./words.js";

/** Shows whom a rule has hit. */
export async function openWhom(id) {
  const rule = ruleOf(id);
  if (!rule) return tellRefusal(`${id} is gone.`);
  const [says, list] = [find("whom-says"), find("whom-list")];
  const total = `${id}: ${count(hits(rule))} hit, of ${count(rule.stats?.matched ?? 0)} that matched.`;
  list.hidden = true;
  write(says, total);
  find("whom").showModal();
  try {
    const decisions = await get(`${rulePath(id)}/decisions`);
    const values = Object.values(decisions).find(Array.isArray) ?? [];
    list.hidden = !values.length;
    write(list, values.map((value) => (typeof value === "object" ? JSON.stringify(value) : value)).join("\n"));
    write(says, `${total} ${values.length ? `These ${Object.keys(decisions).find((name) => Array.isArray(decisions[name]))}:` : "Nobody yet."}`);
  } catch (error) {
    write(says, `${total} ${error.status === 409 ? `Which calls it were is not known: a rule with a key or a seed can tell.` : failure(error)}`);
  }
}
