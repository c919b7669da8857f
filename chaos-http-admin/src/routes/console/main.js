// Starts the page: the login if there is one, then the state, again and again.

import "./dialogs.js";
import "./header.js";
import "./halt.js";
import "./breach.js";
import "./lost.js";
import "./hurting.js";
import "./rules.js";
import "./sites.js";
import "./timeline.js";
import "./hand_over.js";
import { follow } from "./live.js";
import { login } from "./login.js";
import { start } from "./poll.js";
import { on, state } from "./state.js";
import { tell } from "./told.js";

/** Marks the part that the address names. */
function mark() {
  const links = [...document.querySelectorAll("nav a")];
  const here = links.find((link) => link.hash === location.hash) ?? links[0];
  for (const link of links) link.toggleAttribute("aria-current", link === here);
  here.setAttribute("aria-current", "true");
}

addEventListener("hashchange", mark);
mark();
on("lost", () => tell(state.lost ? "The service does not answer: its state is not known." : "The service answers again."));

await login();
state.answered = performance.now();
start();
follow();
