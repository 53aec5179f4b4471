// From the command to the first answer: what an owner and their visitors meet on the first day.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { reachablePages, sticksOut, violations } from './accessibility.mjs';
import { onPage, startBrowser } from './browser.mjs';
import { startPlatform } from './platform.mjs';

const OWNER = { name: 'Ada Lovelace', email: 'ada@example.com', password: 'engine-of-analysis-1843' };
const THINKING = 90_000; // a small model on two slow cores

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
      await page.goto(platform.adminLink);
      await page.getByLabel(/name/i).first().fill(OWNER.name);
      await page.getByLabel(/e-?mail/i).fill(OWNER.email);
      for (const field of await page.locator('input[type=password]').all()) {
        await field.fill(OWNER.password);
      }
      await page.locator('main form').getByRole('button').last().click();
      await page.waitForURL((url) => url.pathname.startsWith('/admin'));
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.deepEqual(page.complaints, []);
      signedIn = await page.context().storageState();
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
      await page.goto(new URL('/admin', platform.site).href);
      await page.getByLabel(/e-?mail/i).fill(OWNER.email);
      await page.getByLabel(/password/i).fill(OWNER.password);
      await page.getByRole('button', { name: /sign in|log in/i }).click();
      await page.waitForURL((url) => url.pathname.startsWith('/admin'));
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
      await ask(page, 'Say hello in one short sentence.');
      const texts = new Set();
      const answer = await finished(page, async () => texts.add(await words(page)));
      assert.notEqual(answer, '');
      assert.ok(texts.size > 2, 'the answer grew while it was written');
      assert.deepEqual(page.complaints, []);
    });
  });

  test('answers a message without scripts', async (t) => {
    const withoutScripts = { javaScriptEnabled: false };
    await asOwner(t.name, async (page) => {
      await ask(page, 'Say hello in one short sentence.');
      // The page grows until the answer is complete; a look at the conversation shows it whole.
      await page.waitForLoadState('load', { timeout: THINKING });
      await page.goto(page.url().replace(/\/live$/, ''));
      assert.notEqual(await finished(page), '');
    }, withoutScripts);
  });

  test('keeps the conversation', async (t) => {
    await asOwner(t.name, async (page) => {
      await ask(page, 'Remember the word marigold.');
      const answer = await finished(page);
      await page.reload();
      assert.match(await page.locator('main').innerText(), /marigold/);
      assert.equal(await words(page), answer);
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

  /** Goes from the home page to the first agent and sends it a message. */
  async function ask(page, text) {
    await page.goto(platform.site);
    await page.locator('main a[href^="/agents/"]').first().click();
    await page.getByRole('textbox').last().fill(text);
    await page.getByRole('button', { name: /send/i }).click();
    await lastAnswer(page).waitFor({ state: 'attached' });
  }
});

const lastAnswer = (page) => page.locator('.message--assistant').last();

/** What the agent said so far. */
async function words(page) {
  return (await lastAnswer(page).locator('.prose, [data-live]').allInnerTexts()).join(' ').trim();
}

/** Waits until the answer is complete, looking at it meanwhile, and gives it. */
async function finished(page, meanwhile = () => {}) {
  const end = Date.now() + THINKING;
  const writing = lastAnswer(page).locator('[aria-busy=true]');
  while ((await writing.count()) > 0) {
    assert.ok(Date.now() < end, 'the answer was complete in time');
    await meanwhile();
    await page.waitForTimeout(50);
  }
  assert.deepEqual(await lastAnswer(page).locator('.message__note').allInnerTexts(), []);
  return words(page);
}
