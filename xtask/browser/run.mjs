// `node run.mjs [WORD…]` runs the checks whose names hold one of the words, or all, some at a time.

import { launch } from "./browser.mjs";
import { checks as stubChecks } from "./checks.mjs";
import { checks as meanwhileChecks } from "./meanwhile_checks.mjs";
import { checks as shopChecks } from "./shop_checks.mjs";

/** Of what a failure says; the browser adds all that it has logged. */
const LINES = 12;
const TIMED = ["a press of watch draws once", "500 rules and 1,000 sites", "the shop is killed"];
/** All checks together take at most so many seconds, or those of `BROWSER_SECONDS` on a busy machine. */
const MOST = Number(process.env.BROWSER_SECONDS ?? 180);
const words = process.argv.slice(2);
const isAsked = ([name]) => !words.length || words.some((word) => name.includes(word));
const isTimed = ([name]) => TIMED.includes(name);
const all = Object.entries({ ...shopChecks, ...stubChecks, ...meanwhileChecks }).filter(isAsked);
// What is timed has the machine to itself. Two at a time work, those that take long first; the others wait for the page more.
const timed = all.filter(isTimed), untimed = all.filter((one) => !isTimed(one));
const waiting = untimed.filter(([name]) => name in meanwhileChecks);
const working = untimed.filter(([name]) => !(name in meanwhileChecks));
if (!all.length) throw new Error(`no check has a name with ${words.join(" or ")}`);
const browser = await launch();
const began = performance.now();
let failed = 0;

/** Runs the checks of lists that no other runner has taken. */
async function runner(...lists) {
  for (let list; (list = lists.find(({ length }) => length));) {
    const [name, check] = list.shift();
    const start = performance.now();
    const error = await check(browser).then(() => null, (error) => error);
    console.log(`${error ? "FAIL" : "ok  "} ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${name}`);
    if (!error) continue;
    failed += 1;
    console.log(error.message.split("\n").slice(0, LINES).join("\n").replace(/^/gm, "     "));
  }
}

await Promise.all([runner(working, waiting), runner(working, waiting), runner(waiting, working)]);
await runner(timed);
await browser.close();
const took = Math.round((performance.now() - began) / 1000);
if (!words.length && took > MOST) {
  failed += 1;
  console.log(`FAIL all checks take at most ${MOST} s`);
}
console.log(`${failed ? `${failed} failed` : "all hold"}, ${took} s`);
process.exit(failed ? 1 : 0);
