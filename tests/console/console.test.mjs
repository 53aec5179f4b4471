// The console in a real browser: every form without scripts, every page for everybody, and the ways
// to a platform, to a name of its own and to its end by the keyboard alone.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { newPage, onPage, startBrowser } from '../browser/browser.mjs';
import { WITHOUT_SCRIPTS } from '../browser/steps.mjs';
import { asked, blueprint, routeOf, routes, saw, startControlPlane } from './control-plane.mjs';
import * as forms from './forms.mjs';
import { furnish, pages, wrongWith } from './pages.mjs';
import { becomeOwner, complaints, press, says, tabTo, write } from './people.mjs';

describe('the console', () => {
  const sent = new Set(); // paths that forms were sent to
  let all; // routes
  let world;
  let browser;
  let signedIn; // the owner's cookies

  before(async () => {
    all = await routes();
    world = await startControlPlane('SOULFRA_TEST_DATABASE_OF_CONSOLE');
    browser = await startBrowser();
    const page = await forms.writing(browser, sent, WITHOUT_SCRIPTS);
    signedIn = await becomeOwner(page, world);
    await page.context().close();
  });

  after(async () => {
    await browser?.close();
    await world?.stop();
  });

  describe('has forms that say what became of them', () => {
    for (const walk of ['people', 'keysAndWebhooks', 'singleSignOn', 'platform', 'tickets', 'account']) {
      test(`${walk}, without scripts`, async () => {
        const opened = [];
        const openAs = async (cookies) => {
          opened.push(await forms.writing(browser, sent, { ...WITHOUT_SCRIPTS, storageState: cookies }));
          return opened.at(-1);
        };
        const page = await openAs(signedIn);
        await forms[walk](page, world, openAs);
        signedIn = await page.context().storageState();
        for (const page of opened) await page.context().close();
      });
    }

    test('passkeys, with scripts', async () => {
      const page = await forms.writing(browser, sent, { storageState: signedIn });
      await forms.passkey(page, world);
      signedIn = await page.context().storageState();
      await page.context().close();
    });

    test('all of them were sent', () => {
      const walked = new Set([...sent].map((path) => routeOf(all, path)?.path));
      const left = all.filter(({ path, isForm }) => isForm && !walked.has(path));
      assert.deepEqual(left, [], 'each form of the console has a walk in tests/console/forms.mjs');
    });
  });

  describe('has pages for everybody', () => {
    let furnished;

    before(async () => {
      furnished = await furnish(browser, world, signedIn);
    });

    test('without anything in the way of eyes, screen readers and keyboards', async () => {
      const wrong = [];
      for (const { route, who, title, path, way } of pages(furnished)) {
        const storageState = furnished.cookies[who];
        const page = await newPage(browser, { storageState, reducedMotion: 'reduce' });
        const place = `${route ?? path} as ${who}${way ? ', and on' : ''}`;
        await page.goto(new URL(path, world.site).href);
        const found = [];
        if (way) {
          await way(page);
          await page.waitForLoadState();
        } else if (route && routeOf(all, new URL(page.url()).pathname)?.path !== route) {
          found.push(`it is ${page.url()}`);
        }
        found.push(...(await wrongWith(page)));
        const is = await page.title();
        if (is !== `${title} · Soulfra`) found.push(`its title is ${is}`);
        wrong.push(...found.map((what) => `${place}: ${what}`));
        await page.context().close();
      }
      assert.equal(wrong.join('\n'), '');
    });

    test('each of which was looked at', () => {
      const looked = new Set(pages(furnished).map(({ route }) => route));
      const left = all.filter(({ path, isPage }) => isPage && !looked.has(path));
      assert.deepEqual(left, [], 'each page of the console is in tests/console/pages.mjs');
    });
  });

  describe('says what changes while it is looked at', () => {
    const looked = (title, path, was, is) =>
      test(title, (t) => onPage(browser, t.name, { storageState: signedIn }, async (page) => {
        await saw('lighthouse', { phase: was });
        await page.goto(new URL(path, world.site).href);
        const onIt = page.locator('#phase, #phase-lighthouse');
        await onIt.filter({ hasText: was }).waitFor();
        await saw('lighthouse', { phase: is });
        await onIt.filter({ hasText: is }).waitFor();
        await page.locator('#announcer').filter({ hasText: `Lighthouse: ${is}` }).waitFor();
        assert.deepEqual(complaints(page), []);
      }));

    looked('a platform', '/o/acme/platforms/lighthouse', 'Degraded', 'Ready');
    looked('the fleet', '/o/acme', 'Ready', 'Degraded');

    test('a fleet in which one is new', (t) => onPage(browser, t.name, { storageState: signedIn }, async (page) => {
      await page.goto(new URL('/o/acme', world.site).href);
      await asked(world, 'POST', '/v1/platforms', blueprint('buoy', 'The buoy'));
      await page.locator('#row-buoy').filter({ hasText: 'The buoy' }).waitFor();
      const names = await page.locator('#platforms > tr').evaluateAll((rows) => rows.map(({ id }) => id));
      assert.deepEqual(names, [...names].sort(), 'each stands where it does after the page is opened again');
      assert.deepEqual(complaints(page), []);
    }));

    test('what a look missed that failed', (t) => onPage(browser, t.name, { storageState: signedIn }, async (page) => {
      let isDown = true;
      await page.route('**/o/acme', (route) => {
        const isLook = 'x-look' in route.request().headers();
        return isLook && isDown ? route.abort() : route.continue();
      });
      const failed = page.waitForEvent('requestfailed');
      await page.goto(new URL('/o/acme', world.site).href);
      await saw('lighthouse', { phase: 'Ready' });
      await failed;
      isDown = false;
      await page.locator('#phase-lighthouse').filter({ hasText: 'Ready' }).waitFor();
    }));
  });

  describe('by the keyboard alone', () => {
    const link = (page, name) => page.getByRole('link', { name, exact: true });
    const button = (page, name) => page.getByRole('button', { name, exact: true });
    const byHand = (title, work) =>
      test(title, (t) => onPage(browser, t.name, { storageState: signedIn }, async (page) => {
        await page.goto(new URL('/o/acme', world.site).href);
        await work(page);
        assert.deepEqual(complaints(page), []);
      }));

    byHand('makes a platform', async (page) => {
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Skip to content');
      await page.keyboard.press('Enter');
      await press(page, link(page, 'New platform'));
      await write(page, 'Name', 'pier');
      await write(page, /^What people call it/, 'The pier');
      await tabTo(page, page.getByLabel('Begin with', { exact: true }));
      await page.keyboard.type('Edu');
      await press(page, button(page, 'Next: its blueprint'));
      await says(page, 'Nothing is made yet.');
      await press(page, button(page, 'See what it would do'));
      await press(page, button(page, 'Create platform'));
      await says(page, 'The platform is made.');
      assert.match(await page.title(), /^The pier · Acme/);
    });

    byHand('gives it a name of its own', async (page) => {
      await press(page, link(page, 'The pier'));
      await tabTo(page, page.getByRole('textbox', { name: 'Blueprint' }));
      await page.keyboard.press('Control+End');
      await page.keyboard.type('  domains: [pier.example]\n');
      await press(page, button(page, 'Apply'));
      await says(page, 'The change is taken.');
      const record = { type: 'CNAME', name: 'pier.example', value: 'pier.edge.example' };
      await saw('pier', { domains: [{ name: 'pier.example', state: 'WaitingForRecord', record, found: [] }] });
      const row = page.getByRole('row', { name: /^pier.example/ });
      for (let looks = 0; looks < 20 && (await row.count()) === 0; looks += 1) {
        await press(page, link(page, 'Look again'));
      }
      assert.match(await row.innerText(), /Waits for its record.*pier.edge.example/s);
    });

    byHand('deletes it by typing its name', async (page) => {
      await press(page, link(page, 'The pier'));
      await write(page, 'Its name', 'peer');
      await press(page, button(page, 'Delete it'));
      await says(page, 'Nothing was deleted.');
      await write(page, 'Its name', 'pier');
      await press(page, button(page, 'Delete it'));
      await says(page, 'The platform is deleted.');
    });
  });
});
