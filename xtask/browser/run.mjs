// `node run.mjs [WORD…]` runs the checks whose names hold one of the words, or all, two at a time.

import { launch } from "./browser.mjs";
import { checks as stubChecks } from "./checks.mjs";
import { checks as shopChecks } from "./shop_checks.mjs";

/** Of what a failure says; the browser adds all that it has logged. */
const LINES = 12;
const TIMED = ["500 rules and 1,000 sites", "the shop is killed"];
const words = process.argv.slice(2);
// Those at services first: they take longest.
let asked = Object.entries({ ...shopChecks, ...stubChecks }).filter(([name]) => !words.length || words.some((word) => name.includes(word)));
const browser = await launch();
const began = performance.now();
let failed = 0;

async function runner() {
  for (let next = asked.shift(); next; next = asked.shift()) {
    const [name, check] = next;
    const start = performance.now();
    const error = await check(browser).then(() => null, (error) => error);
    console.log(`${error ? "FAIL" : "ok  "} ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${name}`);
    if (!error) continue;
    failed += 1;
    console.log(error.message.split("\n").slice(0, LINES).join("\n").replace(/^/gm, "     "));
  }
}

// What is timed does not wait for others.
const isTimed = ([name]) => TIMED.includes(name);
const timed = asked.filter(isTimed);
asked = asked.filter((one) => !isTimed(one));
await Promise.all([runner(), runner()]);
asked = timed;
await runner();
await browser.close();
console.log(`${failed ? `${failed} failed` : "all hold"}, ${Math.round((performance.now() - began) / 1000)} s`);
process.exit(failed ? 1 : 0);
