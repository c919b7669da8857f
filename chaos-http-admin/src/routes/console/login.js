// The login: nothing is asked before there is a token, and a wrong one is said to be wrong.

import { ask, get, NoAnswer, Refusal, token, whenRefused } from "./api.js";
import { find, write } from "./dom.js";
import { changed, state } from "./state.js";

/** Says whether the port asks for access tokens: the page itself tells, so that no request has to be refused. */
const isRequired = document.querySelector("meta[name=access-token]").content === "required";

/** Ends the wait for a token. @type {(() => void) | null} */
let entered = null;

/** Returns once there is a token that the port accepts, if it asks for one. */
export async function login() {
  whenRefused(() => enter("The port does not accept this tab's access token any more."));
  if (isRequired && !token.get()) return enter("");
  try {
    await introduce();
  } catch (error) {
    // With a token that is not accepted any more, the dialog is open. Without an answer, the state is not known.
    if (error.status === 401) await new Promise((done) => { find("login").addEventListener("close", done, { once: true }); });
  }
}

/** Learns the name and the role. A port without the route names none. */
async function introduce() {
  try {
    const { name, role } = await get("/v1/whoami");
    state.you = { name: name ?? null, role: role ?? null };
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 404) throw error;
    await ask("GET", "/v1/status");
  }
  changed("you");
}

/** Asks for a token; nothing else is asked of the port meanwhile. */
function enter(why) {
  if (state.isLocked) return undefined;
  state.isLocked = true;
  token.forget();
  complain(why);
  find("login").showModal();
  find("token").focus();
  return new Promise((done) => { entered = done; });
}

function complain(why) {
  find("token-e").hidden = !why;
  write(find("token-e"), why);
  find("token").setAttribute("aria-invalid", String(Boolean(why)));
}

async function tryToken() {
  const secret = find("token").value.trim();
  // No header can hold another.
  if (!/^[\x21-\x7e]+$/.test(secret)) return complain("An access token has visible characters of ASCII, and no spaces.");
  token.set(secret);
  try {
    await introduce();
  } catch (error) {
    token.forget();
    complain(refusal(error));
    return find("token").select();
  }
  find("token").value = "";
  state.isLocked = false;
  find("login").close();
  entered?.();
}

function refusal(error) {
  if (error instanceof NoAnswer) return "The service does not answer.";
  return error.status === 401 ? "This is none of the port's access tokens." : `${error.message}.`;
}

// A second Escape closes a dialog whatever its page says.
find("login").onclose = () => state.isLocked && find("login").showModal();
find("login").oncancel = (event) => event.preventDefault();
find("login").querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  tryToken();
};
