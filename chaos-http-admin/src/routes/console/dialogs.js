// What all dialogs share: buttons that close them, and the question before something that cannot be taken for a slip.

import { element, find, write } from "./dom.js";
import { failure } from "./told.js";

for (const button of document.querySelectorAll("[data-close]")) {
  button.onclick = () => button.closest("dialog").close();
}

/**
 * Sends the form of a dialog by `send`, which returns whether it may close. The focus goes back to what opened it, or
 * to `next` if that is gone.
 */
export function onSend(dialog, send, next) {
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    const done = await send().finally(() => { if (button) button.disabled = false; });
    if (!done) return;
    dialog.close();
    // What opened it is gone: the focus is nowhere, or still at what is hidden now.
    const at = document.activeElement;
    if (at === document.body || dialog.contains(at)) next.focus();
  };
}

let deed = async () => {};

/** Asks before a deed, and says in the dialog why it failed. */
export function sure({ title, says, button, work }) {
  write(find("sure-h"), title);
  find("sure-says").replaceChildren(...says.map((textContent) => element("p", { textContent })));
  write(find("sure-do"), button);
  find("sure-e").hidden = true;
  deed = work;
  find("sure").showModal();
  find("sure-do").focus();
}

onSend(find("sure"), async () => {
  try {
    await deed();
    return true;
  } catch (error) {
    find("sure-e").hidden = false;
    write(find("sure-e"), failure(error));
    return false;
  }
}, find("find-rule"));
