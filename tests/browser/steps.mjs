// What people do on a platform: the steps that the tests are made of. Each works on a page with
// scripts and on one without.

import assert from 'node:assert/strict';

export const OWNER = { name: 'Ada Lovelace', email: 'ada@example.com', password: 'engine-of-analysis-1843' };
export const WITHOUT_SCRIPTS = { javaScriptEnabled: false };
const THINKING = 90_000; // a small model on two slow cores

/** Makes the owner's account by the admin link. Gives the cookies of who is signed in. */
export async function becomeOwner(page, { adminLink }) {
  await page.goto(adminLink);
  await page.getByLabel(/name/i).first().fill(OWNER.name);
  await page.getByLabel(/e-?mail/i).fill(OWNER.email);
  for (const field of await page.locator('input[type=password]').all()) {
    await field.fill(OWNER.password);
  }
  await page.locator('main form').getByRole('button').last().click();
  await atAdmin(page);
  return page.context().storageState();
}

/** Asks for the owner's pages, and signs in with the password where that is asked for. */
export async function signIn(page, { site }) {
  await page.goto(new URL('/admin', site).href);
  await page.getByLabel(/e-?mail/i).fill(OWNER.email);
  await page.getByLabel(/password/i).fill(OWNER.password);
  await page.getByRole('button', { name: /sign in|log in/i }).click();
  await atAdmin(page);
}

async function atAdmin(page) {
  await page.waitForURL((url) => url.pathname.startsWith('/admin'));
  await page.getByRole('heading', { level: 1 }).waitFor();
}

/** Goes from the home page to the first agent and sends it a message. */
export async function ask(page, { site }, text) {
  await page.goto(site);
  await page.locator('main a[href^="/agents/"]').first().click();
  await page.getByRole('textbox').last().fill(text);
  await page.getByRole('button', { name: /send/i }).click();
  await lastAnswer(page).waitFor({ state: 'attached' });
}

/** Asks, and sees the answer grow to its end. Gives its words. */
export async function askAndWatch(page, platform, text) {
  await ask(page, platform, text);
  const seen = new Set();
  const look = async () => seen.add(await words(page));
  if (page.url().endsWith('/live')) await pageGrown(page, look);
  const answer = await finished(page, look);
  assert.notEqual(answer, '');
  assert.ok(seen.size > 2, `the answer grew while it was written: ${[...seen].join(' | ')}`);
  return answer;
}

/** Without scripts it is the page that grows. Then the conversation shows the answer as it is kept. */
async function pageGrown(page, meanwhile) {
  let grows = true;
  const loaded = page.waitForLoadState('load', { timeout: THINKING }).finally(() => (grows = false));
  while (grows) await Promise.all([meanwhile(), page.waitForTimeout(50)]);
  await loaded;
  await page.goto(page.url().replace(/\/live$/, ''));
}

/** Waits until the answer is complete, looking at it meanwhile, and gives it. */
export async function finished(page, meanwhile = () => {}) {
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

/** What the agent said so far. */
export async function words(page) {
  return (await lastAnswer(page).locator('.prose, .live').allInnerTexts()).join(' ').trim();
}

const lastAnswer = (page) => page.locator('.message--assistant').last();

/** The first day, from the site to a whole answer, on one page. */
export async function firstDay(page, platform) {
  const site = await page.goto(platform.site);
  assert.equal(site.status(), 200);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await becomeOwner(page, platform);
  const answer = await askAndWatch(page, platform, 'Tell me a story about a lighthouse.');
  await page.reload();
  assert.equal(await words(page), answer, 'the conversation is kept');
  assert.deepEqual(page.complaints, []);
}
