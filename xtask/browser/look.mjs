// `node look.mjs [SCENE…]` writes pictures of scenes to `shots`, and prints what axe-core finds.

import { judge, launch, open, SCHEMES, WIDTHS } from "./browser.mjs";
import { scenes } from "./scenes.mjs";
import { startStub } from "./stub.mjs";

const asked = process.argv.slice(2);
const browser = await launch();
for (const [name, { stub: wanted, come }] of Object.entries(scenes)) {
  if (asked.length && !asked.includes(name)) continue;
  const stub = await startStub(wanted);
  const { page, complaints } = await open(browser, stub.url);
  await come?.(page, stub).catch((error) => complaints.push(error.message));
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(100);
      await page.screenshot({ path: `shots/${name}-${width}-${colorScheme}.png` });
    }
    for (const one of await judge(page)) console.log(`${name}: ${one}`);
  }
  for (const one of complaints) console.log(`${name}: ${one}`);
  await page.close();
  await stub.stop();
}
await browser.close();
process.exit();
