// The one live region: it tells of deeds and refusals, never of numbers.

import { find, write } from "./dom.js";
import { NoAnswer } from "./api.js";

const STAYS = 8000;
/** What this page has done itself is told by the deed. */
const OWN = 3000;
let waiting = 0;
let last = -Infinity;

/** Says what was done. */
export function tell(text) {
  show(text, false);
  waiting = setTimeout(() => show("", false), STAYS);
}

/** Says what others have done. */
export function tellOfOthers(text) {
  if (performance.now() - last > OWN) tell(text);
}

/** Says what was not done; it stays until it is closed or something else is done. */
export const tellRefusal = (text) => show(text, true);

function show(text, stays) {
  clearTimeout(waiting);
  if (text) last = performance.now();
  const had = document.activeElement === find("told-close");
  write(find("said"), text);
  find("told").classList.toggle("warn", stays);
  find("told-close").hidden = !stays;
  if (had && !stays) find("halt").focus();
}

find("told-close").onclick = () => show("", false);

/** Says in words why something failed. */
export function failure(error) {
  if (error instanceof NoAnswer) return "The service does not answer, so it is not known whether this was done.";
  return `Refused: ${error.message}${error.allowed ? `. Allowed: ${error.allowed}` : ""}.`.replace(/\.\.$/, ".");
}
