// Every template's pages can be read by everybody, and its owner can make an agent.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { reachablePages, sticksOut, violations } from './accessibility.mjs';
import { onPage, startBrowser } from './browser.mjs';
import { fromSuite, startPlatform } from './platform.mjs';
import { becomeOwner } from './steps.mjs';

// The creator template is looked at by first-run.test.mjs.
for (const template of ['business', 'education']) {
  describe(`the ${template} template`, () => {
    let platform;
    let browser;
    let signedIn;

    before(async () => {
      const command = [fromSuite('SOULFRA_PROGRAM'), '--template', template];
      platform = await startPlatform('studio', { command });
      browser = await startBrowser();
      await onPage(browser, `${template} owner`, {}, async (page) => {
        signedIn = await becomeOwner(page, platform);
      });
    });

    after(async () => {
      await browser?.close();
      await platform?.stop();
    });

    test('lets its owner make an agent and publish it', async (t) => {
      await onPage(browser, `${template} ${t.name}`, { storageState: signedIn }, async (page) => {
        await page.goto(new URL('/admin/agents/new', platform.site).href);
        await page.getByLabel('Name', { exact: true }).fill('Marigold');
        await page.getByLabel('How it should behave').fill('You are Marigold, an AI. Be brief.');
        await page.getByRole('button', { name: /save/i }).click();
        await page.getByRole('button', { name: /publish version 1/i }).click();
        await page.getByRole('link', { name: /open its page/i }).click();
        await page.getByRole('heading', { level: 1, name: 'Marigold' }).waitFor();
        assert.deepEqual(page.complaints, []);
      });
    });

    for (const colorScheme of ['light', 'dark']) {
      for (const width of [360, 1280]) {
        test(`is accessible: ${colorScheme}, ${width} pixels wide`, async (t) => {
          const look = { colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' };
          const wrong = new Set();
          const visit = async (page, starts) => {
            for (const path of await reachablePages(page, platform.site, starts)) {
              await page.goto(new URL(path, platform.site).href);
              const complaints = [...(await violations(page)), ...(await sticksOut(page))];
              for (const complaint of complaints) wrong.add(`${path}: ${complaint}`);
            }
          };
          const title = `${template} ${t.name}`;
          await onPage(browser, title, look, (page) => visit(page, ['/']));
          const asOwner = { storageState: signedIn, ...look };
          await onPage(browser, title, asOwner, (page) => visit(page, ['/', '/admin']));
          if (wrong.size > 0) assert.fail([...wrong].join('\n'));
        });
      }
    }
  });
}
