// Counts in shadow whom a rule would hit: a rule of its own that hits nobody, for half a minute.

import { ask, rulePath } from "./api.js";
import { find, write } from "./dom.js";
import { failure } from "./told.js";
import { isHalted } from "./state.js";
import { count, many, percent, seconds } from "./words.js";

const LONG = 30;
const FIRST = "Not tried yet. A shadow of this rule can count for 30 s, and hits nobody.";

/** The shadow that counts now. @type {{ id: string, ends: number } | null} */
let counting = null;

/** Ends the count, if there is one. */
export function resetShadow() {
  write(find("f-shadow"), FIRST);
  stop();
}

function stop() {
  const { id } = counting ?? {};
  counting = null;
  find("f-bar").hidden = true;
  find("f-try").disabled = false;
  // If nobody answers, its deadline ends it.
  if (id) ask("DELETE", `${rulePath(id)}?reason=${encodeURIComponent("counted enough")}`).catch(() => {});
}

/** Begins to count for this rule. */
export async function startShadow(rule) {
  if (!rule) return;
  if (isHalted()) return write(find("f-shadow"), "Everything is halted, so a shadow counts nothing.");
  const { id: name, guards: _, enabled: __, ...fields } = rule;
  const id = `${name.slice(0, 100)}-shadow-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  const body = { ...fields, mode: "shadow", ttl: `${LONG + 5}s`, reason: `the console counts for ${name}` };
  const mine = { id, ends: performance.now() + LONG * 1000 };
  counting = mine;
  find("f-try").disabled = true;
  find("f-bar").hidden = false;
  find("f-bar").value = 0;
  try {
    await ask("PUT", rulePath(id), { body });
    for (let over = false; !over && counting === mine;) {
      await new Promise((done) => { setTimeout(done, 1000); });
      over = performance.now() >= mine.ends;
      const { stats } = (await ask("GET", rulePath(id))).body;
      if (counting === mine) show(stats, Math.min(LONG, Math.round(LONG - (mine.ends - performance.now()) / 1000)), rule);
    }
  } catch (error) {
    if (counting === mine) write(find("f-shadow"), failure(error));
  }
  if (counting === mine) stop();
}

function show(stats, so, rule) {
  const { matched, shadowed } = stats;
  find("f-bar").value = so;
  const share = matched ? `, that is ${percent(shadowed / matched)}` : "";
  const users = typeof stats.keys === "number" ? `, by ${many(stats.keys, "user")}` : "";
  const whole = seconds(rule.ttl);
  const pace = whole && so ? ` At this pace ${many(Math.round((shadowed / so) * whole), "hit")} until it ends.` : "";
  write(find("f-shadow"), `${count(shadowed)} of ${many(matched, "call")} in ${so} s${share}${users}.${pace}`);
}
