// The story of a GameDay, as a user plays it with the console: against the stub, and against the running shop.

import { expect, until } from "./browser.mjs";

const row = (page, id) => page.locator("#rule-list > li", { has: page.getByRole("heading", { name: id, exact: true }) });
const number = async (page, id) => Number((await row(page, id).locator(".did b").textContent()).replaceAll(",", ""));
const state = (page, is) => until(`the state is ${is}`, async () => (await page.locator("#state").textContent()) === is);
const button = (page, name) => page.getByRole("button", { name, exact: true });

/**
 * Makes a rule that answers every call of a route with 503, and returns its name.
 * @param {any} page
 * @param {any} hand
 * @param {{ route: string, isBounded?: boolean, filled?: () => any }} of A rule that is bounded halts everything when
 *   too many calls fail.
 */
export async function makeRule(page, hand, { route, isBounded = false, filled }) {
  await hand.press(button(page, "New rule"));
  await hand.type(page.locator("#f-path"), route);
  await hand.choose(page.getByLabel("all", { exact: true }).and(page.locator("[name=of]")));
  // All calls of a route are more than the form's guard rail lets fail.
  if (!isBounded) await hand.type(page.locator("#f-rail"), "");
  await until("the words follow", async () => (await page.locator("#f-words").textContent()).includes(route));
  expect(/get 503/.test(await page.locator("#f-words").textContent()), "the form says what happens");
  expect(/PUT \/v1\/rules\//.test(await page.locator("#f-json").textContent()), "the form shows the request");
  await filled?.();
  await hand.press(page.locator("#f-arm"));
  const made = await page.locator("#f-id").inputValue();
  await row(page, made).waitFor();
  return made;
}

/** Deletes a rule from its menu. */
export async function deleteRule(page, hand, id, asked) {
  await hand.press(page.getByLabel(`More for ${id}`, { exact: true }));
  await hand.press(page.locator(".menu").getByRole("button", { name: "Delete", exact: true }));
  await page.locator("#sure[open]").waitFor();
  await asked?.();
  await hand.press(page.locator("#sure-do"));
  await row(page, id).waitFor({ state: "detached" });
}

async function resume(page, hand, why, asked) {
  await hand.press(button(page, "Resume…"));
  await page.locator("#again-list li").first().waitFor();
  await asked?.();
  await hand.type(page.locator("#again-why"), why);
  await hand.press(button(page, "Resume"));
  await state(page, "armed");
}

/**
 * Plays the story.
 * @param {any} page
 * @param {any} hand What does things: `mouse()` or `keyboard(page)`.
 * @param {{ breach: () => any, noted?: () => any, failing?: (made: string) => any, halting?: () => any,
 *   at?: (state: string) => any, route?: string }} of `breach` has a guard rail break, and `noted` ends what broke it;
 *   `failing` looks at the service while the rule hits it, and `halting` as the halt is pressed; `at` looks at the page
 *   in each of its states.
 */
export async function story(page, hand, { breach, noted, failing, halting, at, route = "/checkout/{id}" }) {
  await page.locator("#main:not([hidden])").waitFor();
  await until("traffic is seen", async () => /[0-9] a second/.test(await page.locator("#charts figure").nth(2).textContent()), 10_000);
  await at?.("before");

  hand.presses = 0;
  const made = await makeRule(page, hand, { route, filled: () => at?.("form") });
  expect(hand.presses <= 5, `a rule takes ${hand.presses} presses`);
  await state(page, "armed");
  await until("it hits", async () => (await number(page, made)) > 0, 15_000);
  await failing?.(made);
  await at?.("armed");

  const before = await number(page, made);
  await hand.press(page.getByLabel(`+5 min for ${made}`));
  await until("it lasts longer", async () => /ends in (9|10):/.test(await row(page, made).textContent()));
  expect(await number(page, made) >= before, "its counts go on");

  hand.presses = 0;
  await Promise.all([halting?.(), hand.press(button(page, "Halt all"))]);
  await state(page, "halted");
  expect(hand.presses === 1, "a halt is one press");
  await until("the reason may be typed", () => page.locator("#reason").evaluate((field) => field === document.activeElement));
  await at?.("halted");
  await page.keyboard.type("Errors rise at checkout");
  await page.keyboard.press("Enter");
  await page.locator("#why-given", { hasText: "Errors rise at checkout" }).waitFor();

  await resume(page, hand, "seen enough", async () => {
    await page.locator("#again-list", { hasText: made }).waitFor();
    await at?.("resume");
  });

  await breach();
  await page.locator("#breach dl").waitFor({ timeout: 20_000 });
  const facts = await page.locator("#breach").textContent();
  for (const fact of ["measured", "allowed", "judged on"]) expect(facts.includes(fact), `${fact} is said`);
  await at?.("breach");
  await hand.type(page.locator("#seen"), "the client had no timeout");
  await hand.press(button(page, "Take note, and stay halted"));
  await page.locator("#breach").waitFor({ state: "hidden" });
  await state(page, "halted");
  await noted?.();
  await resume(page, hand, "bounded now");

  await deleteRule(page, hand, made, () => at?.("delete"));
  await hand.press(page.getByLabel(`Undo… deleted ${made}`, { exact: true }).first());
  await page.locator("#sure[open]").waitFor();
  await at?.("undo");
  await hand.press(page.locator("#sure-do"));
  await row(page, made).waitFor();
  await deleteRule(page, hand, made);
}
