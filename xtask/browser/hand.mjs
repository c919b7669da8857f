// How a user does things: with a mouse, or with the keyboard alone.

/** More stops of Tab than any page of the tests has. */
const STOPS = 200;

/** Does things with a mouse, and counts the presses. */
export function mouse() {
  const hand = {
    presses: 0,
    press: async (what) => { hand.presses += 1; await what.click(); },
    choose: (what) => hand.press(what),
    type: async (field, text) => { await hand.press(field); await field.fill(text); },
  };
  return hand;
}

/** Does things with the keyboard alone: what Tab does not come to cannot be done. */
export function keyboard(page) {
  const key = (name) => page.keyboard.press(name);
  const tabTo = async (what, isThere) => {
    await what.waitFor();
    // Found once: to look for it at each stop takes long.
    const target = await what.elementHandle();
    for (let stops = 0; stops < STOPS; stops++) {
      if (await target.evaluate(isThere)) return;
      await key("Tab");
    }
    throw new Error(`Tab does not come to ${what}`);
  };
  const isFocused = (one) => one === document.activeElement;
  const hand = {
    presses: 0,
    press: async (what) => { await tabTo(what, isFocused); hand.presses += 1; await key("Enter"); },
    // Tab comes to the one of a group that is chosen, and arrows to the others.
    choose: async (what) => {
      await tabTo(what, (one) => document.activeElement.name === one.name);
      while (!await what.isChecked()) await key("ArrowRight");
    },
    type: async (field, text) => {
      await tabTo(field, isFocused);
      await key("Control+A");
      if (text === "") await key("Delete");
      else await page.keyboard.type(text);
    },
  };
  return hand;
}
