// From the command to the first answer: what an owner and their visitors meet on the first day.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { reachablePages, sticksOut, violations } from './accessibility.mjs';
import { onPage, startBrowser } from './browser.mjs';
import { startPlatform } from './platform.mjs';
import * as steps from './steps.mjs';

describe('a new platform', () => {
  let platform;
  let browser;
  let signedIn; // the owner's cookies, once there are any

  before(async () => {
    platform = await startPlatform();
    browser = await startBrowser();
  });

  after(async () => {
    await browser?.close();
    const code = await platform?.stop();
    assert.equal(code ?? 0, 0, 'the command ends well when it is asked to stop');
  });

  const asOwner = (title, work, options = {}) =>
    onPage(browser, title, { storageState: signedIn, ...options }, work);

  test('tells each phase of its start, and how long it took', () => {
    const phases = platform.events.filter(({ event }) => event === 'phase');
    assert.ok(phases.length > 0);
    assert.deepEqual(phases.filter(({ state }) => state !== 'done'), []);
    assert.ok(phases.every(({ seconds }) => seconds >= 0));
  });

  test('lets its owner in by the admin link', async (t) => {
    await onPage(browser, t.name, {}, async (page) => {
      signedIn = await steps.becomeOwner(page, platform);
      assert.deepEqual(page.complaints, []);
    });
  });

  test('takes the admin link only once', async (t) => {
    await onPage(browser, t.name, {}, async (page) => {
      const answer = await page.goto(platform.adminLink);
      assert.ok(answer.status() >= 400, `a used link answers ${answer.status()}`);
      assert.equal(await page.locator('input[type=password]').count(), 0);
    });
  });

  test('lets its owner sign in again with the password', async (t) => {
    await onPage(browser, t.name, {}, async (page) => {
      await steps.signIn(page, platform);
      assert.deepEqual(page.complaints, []);
    });
  });

  test('refuses its admin pages to a stranger', async (t) => {
    await onPage(browser, t.name, {}, async (page) => {
      await page.goto(new URL('/admin', platform.site).href);
      assert.ok(!new URL(page.url()).pathname.startsWith('/admin'), page.url());
    });
  });

  test('answers a message, word by word', async (t) => {
    await asOwner(t.name, async (page) => {
      await steps.askAndWatch(page, platform, 'Tell me a story about a lighthouse.');
      assert.deepEqual(page.complaints, []);
    });
  });

  test('keeps the conversation', async (t) => {
    await asOwner(t.name, async (page) => {
      await steps.ask(page, platform, 'Remember the word marigold.');
      const answer = await steps.finished(page);
      await page.reload();
      assert.match(await page.locator('main').innerText(), /marigold/);
      assert.equal(await steps.words(page), answer);
    });
  });

  describe('shows pages that are accessible', () => {
    const pages = { stranger: [], owner: [] };

    before(async () => {
      await onPage(browser, 'find the pages of a stranger', {}, async (page) => {
        pages.stranger = await reachablePages(page, platform.site, ['/']);
      });
      await asOwner('find the pages of the owner', async (page) => {
        pages.owner = await reachablePages(page, platform.site, ['/', '/admin']);
      });
      console.log(`pages looked at: ${[...new Set([...pages.stranger, ...pages.owner])].join(' ')}`);
    });

    for (const colorScheme of ['light', 'dark']) {
      for (const width of [360, 1280]) {
        test(`${colorScheme}, ${width} pixels wide`, async (t) => {
          const look = { colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' };
          const wrong = new Set();
          const visit = async (page, paths) => {
            for (const path of paths) {
              page.complaints.length = 0;
              await page.goto(new URL(path, platform.site).href);
              const complaints = [
                ...(await violations(page)),
                ...(await sticksOut(page)),
                ...page.complaints,
              ];
              for (const complaint of complaints) wrong.add(`${path}: ${complaint}`);
            }
          };
          await onPage(browser, t.name, look, (page) => visit(page, pages.stranger));
          await asOwner(t.name, (page) => visit(page, pages.owner), look);
          if (wrong.size > 0) assert.fail([...wrong].join('\n'));
        });
      }
    }
  });
});

test('a new platform is for people without scripts too', async (t) => {
  const platform = await startPlatform();
  const browser = await startBrowser();
  try {
    await onPage(browser, t.name, steps.WITHOUT_SCRIPTS, async (page) => {
      await steps.firstDay(page, platform);
    });
    await onPage(browser, t.name, steps.WITHOUT_SCRIPTS, (page) => steps.signIn(page, platform));
  } finally {
    await browser.close();
    await platform.stop();
  }
});
