// What people do on the console: with their hands on the keyboard alone, and with a phone that shows codes.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import { OWNER } from './control-plane.mjs';

const MOST_TABS = 120;

/** Makes the owner's account by the link. Gives the cookies of who is signed in. */
export async function becomeOwner(page, world) {
  await page.goto(world.link);
  await page.getByLabel('Your name').fill(OWNER.name);
  await page.getByLabel('Password').fill(OWNER.password);
  await page.getByRole('button', { name: 'Make an account and join' }).click();
  await says(page, 'You have joined this organization.');
  return page.context().storageState();
}

/** The page says this where what became of a form is said. */
export async function says(page, text) {
  const said = page.locator('main').locator('[role=status], [role=alert], .field__error');
  await said.filter({ hasText: text }).first().waitFor();
}

/** What the browser complains of, but that a form was refused. */
export function complaints(page) {
  const refusals = /the server responded with a status of 4/;
  return page.complaints.filter((complaint) => !refusals.test(complaint));
}

/** Presses Tab until this has the focus; each step on the way can be seen. */
export async function tabTo(page, target) {
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    await page.keyboard.press('Tab');
    const hidden = await page.evaluate(unseenFocus);
    assert.equal(hidden, null, `on ${page.url()}`);
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`${target} is not reached by the keyboard on ${page.url()}`);
}

/** Goes there by Tab, and writes this in place of what is there. */
export async function write(page, label, text) {
  await tabTo(page, page.getByLabel(label, { exact: true }));
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

/** Goes there by Tab, and presses Enter; the page that follows is there. */
export async function press(page, target) {
  await tabTo(page, target);
  const loaded = page.waitForEvent('load');
  await page.keyboard.press('Enter');
  await loaded;
}

/**
 * Goes through the whole page by Tab. Gives what is wrong: what cannot be reached, in which order
 * things come, and where one does not see where one is.
 */
export async function tabThrough(page) {
  const count = await page.evaluate(numberStops);
  const wrong = [];
  for (let at = 0; at < count; at += 1) {
    if (at > 0) await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => document.activeElement.dataset.stop ?? 'nothing');
    if (stop !== String(at)) {
      wrong.push(`Tab goes to ${stop} where ${at} of ${count} comes next`);
      break;
    }
    const hidden = at > 0 ? await page.evaluate(unseenFocus) : null;
    if (hidden) wrong.push(hidden);
  }
  return wrong;
}

/** Numbers all that can have the focus in the order of the text, and gives it to the first. */
function numberStops() {
  const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const stops = [...document.querySelectorAll(all)].filter(
    (element) => !element.disabled && element.checkVisibility({ visibilityProperty: true }),
  );
  stops.forEach((element, at) => (element.dataset.stop = at));
  stops[0].focus();
  return stops.length;
}

/** Why a person does not see what has the focus, or nothing. */
function unseenFocus() {
  const focused = document.activeElement;
  const name = `${focused.localName} "${(focused.textContent || focused.name || '').trim().slice(0, 40)}"`;
  const outlined = (element) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  };
  let shown = focused;
  while (shown && !outlined(shown)) shown = shown.parentElement;
  if (!shown) return `${name} has the focus and does not show it`;
  const { top, bottom, left, right } = focused.getBoundingClientRect();
  const bar = document.querySelector('.topbar');
  const above = bar.contains(focused) || focused.matches('.skip') ? 0 : bar.getBoundingClientRect().bottom;
  const isIn = bottom > above && top < innerHeight && right > 0 && left < innerWidth;
  return isIn ? null : `${name} has the focus where nobody sees it`;
}

/** The code that an app shows in this half minute, or so many later. */
export function codeOf(secret, later = 0) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(' ', '')].map((it) => letters.indexOf(it).toString(2).padStart(5, '0'));
  const key = Buffer.from(bits.join('').match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const hash = createHmac('sha1', key).update(step).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}
