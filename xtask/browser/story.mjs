// The story of a GameDay, by mouse: against the stub, and against a running service.

import { expect, until } from "./browser.mjs";

const number = async (page, id) => Number((await row(page, id).locator(".did b").textContent()).replaceAll(",", ""));
const row = (page, id) => page.locator("#rule-list > li", { has: page.getByRole("heading", { name: id, exact: true }) });
const state = (page, is) => until(`the state is ${is}`, async () => (await page.locator("#state").textContent()) === is);

/**
 * Plays the story.
 * @param {any} page
 * @param {{ breach: () => any, failing?: () => any, halted?: () => any, route?: string }} of `breach` has a guard rail
 *   break; `failing` and `halted` look at the service while the rule hits it, and as the halt is pressed.
 */
export async function story(page, { breach, failing, halted, route = "/checkout/{id}" }) {
  let presses = 0;
  const press = async (what) => { presses += 1; await what.click(); };
  const button = (name) => page.getByRole("button", { name, exact: true });

  await page.locator("#main:not([hidden])").waitFor();
  await until("traffic is seen", async () => /[0-9] a second/.test(await page.locator("#charts figure").nth(2).textContent()), 10_000);

  presses = 0;
  await press(button("New rule"));
  await press(page.locator("#f-path"));
  await page.locator("#f-path").fill(route);
  await press(page.getByLabel("all", { exact: true }).and(page.locator("[name=of]")));
  // All calls of a route are more than the form's guard rail lets fail.
  await press(page.locator("#f-rail"));
  await page.locator("#f-rail").fill("");
  await until("the words follow", async () => (await page.locator("#f-words").textContent()).includes(route));
  expect(/get 503/.test(await page.locator("#f-words").textContent()), "the form says what happens");
  expect(/PUT \/v1\/rules\//.test(await page.locator("#f-json").textContent()), "the form shows the request");
  await press(page.locator("#f-arm"));
  expect(presses <= 5, `a rule takes ${presses} presses`);
  const made = await page.locator("#f-id").inputValue();
  await row(page, made).waitFor();
  await state(page, "armed");
  await until("it hits", async () => (await number(page, made)) > 0, 15_000);

  await failing?.();

  const before = await number(page, made);
  await page.getByLabel(`+5 min for ${made}`).click();
  await until("it lasts longer", async () => /ends in (9|10):/.test(await row(page, made).textContent()));
  expect(await number(page, made) >= before, "its counts go on");

  presses = 0;
  await Promise.all([halted?.(), press(button("Halt all"))]);
  await state(page, "halted");
  expect(presses === 1, "a halt is one press");
  await until("the reason may be typed", () => page.locator("#reason").evaluate((field) => field === document.activeElement));
  await page.keyboard.type("Errors rise at checkout");
  await page.keyboard.press("Enter");
  await page.locator("#why-given", { hasText: "Errors rise at checkout" }).waitFor();

  await button("Resume…").click();
  await page.locator("#again-list", { hasText: made }).waitFor();
  await page.locator("#again-why").fill("seen enough");
  await button("Resume").click();
  await state(page, "armed");

  await breach();
  await page.locator("#breach dl").waitFor();
  const facts = await page.locator("#breach").textContent();
  for (const fact of ["measured", "allowed", "judged on"]) expect(facts.includes(fact), `${fact} is said`);
  await page.locator("#seen").fill("the client had no timeout");
  await button("Take note, and stay halted").click();
  await page.locator("#breach").waitFor({ state: "hidden" });
  await state(page, "halted");
  await button("Resume…").click();
  await page.locator("#again-why").fill("bounded now");
  await button("Resume").click();
  await state(page, "armed");

  await page.getByLabel(`More for ${made}`).click();
  await page.locator(".menu").getByRole("button", { name: "Delete", exact: true }).click();
  await page.locator("#sure-do").click();
  await row(page, made).waitFor({ state: "detached" });
  await page.getByLabel(`Undo… deleted ${made}`).first().click();
  await page.locator("#sure-do").click();
  await row(page, made).waitFor();
  await page.getByLabel(`More for ${made}`).click();
  await page.locator(".menu").getByRole("button", { name: "Delete", exact: true }).click();
  await page.locator("#sure-do").click();
  await row(page, made).waitFor({ state: "detached" });
}
