// Every page of the console as people meet it: the route it is of, what its title says, who opens it, and how.

import assert from 'node:assert/strict';

import { sticksOut, violations } from '../browser/accessibility.mjs';
import { newPage } from '../browser/browser.mjs';
import { OWNER, asked, blueprint, saw } from './control-plane.mjs';
import { codeOf, complaints, tabThrough } from './people.mjs';

const DOMAIN = {
  name: 'shop.lighthouse.example',
  state: 'WaitingForRecord',
  record: { type: 'CNAME', name: 'shop.lighthouse.example', value: 'lighthouse.edge.example' },
  found: ['192.0.2.7'],
};
const NOW = '2026-03-01T12:00:00Z';
const READY = { type: 'Ready', status: 'True', reason: 'Serves', message: 'It serves.', lastTransitionTime: NOW };

/** What there is to be looked at; the cookies of each who looks, and the ids of things. */
export async function furnish(browser, world, owner) {
  await asked(world, 'POST', '/v1/platforms', blueprint('lighthouse', 'Lighthouse'));
  const conditions = [READY, { ...READY, type: 'DomainsReady', status: 'False', message: 'A record is missing.' }];
  await saw('lighthouse', { phase: 'Degraded', url: 'https://lighthouse.example', domains: [DOMAIN], conditions });
  const wreck = await asked(world, 'POST', '/v1/platforms', blueprint('wreck', 'Wreck'));
  await asked(world, 'DELETE', `/v1/platforms/${wreck.id}?name=wreck`);
  const { id: key } = await asked(world, 'POST', '/v1/keys', { name: 'deploy', scopes: ['audit:read'] });
  const { id: webhook } = await asked(world, 'POST', '/v1/webhooks', { url: world.hook, kinds: ['webhook.secret'] });
  await asked(world, 'POST', `/v1/webhooks/${webhook}/secret`);
  const words = { subject: 'It is slow', urgency: 'problem', text: 'Since noon.\nEvery page.' };
  const { id: ticket } = await asked(world, 'POST', '/v1/tickets', words);
  await asked(world, 'POST', `/v1/tickets/${ticket}/messages`, { text: 'Still.' });
  const invited = (email) => asked(world, 'POST', '/v1/invitations', { email, role: 'viewer' });
  const open = await invited('open@acme.example');

  const otto = await joined(browser, await invited('otto@acme.example'), 'Otto');
  const vera = await joined(browser, await invited('vera@acme.example'), 'Vera');
  const members = (await asked(world, 'GET', '/v1/members')).items;
  const idOf = (email) => members.find((member) => member.email === email).id;
  await asked(world, 'DELETE', `/v1/members/${idOf('vera@acme.example')}`);
  const withFactor = await setUpFactor(browser, world, otto);
  const half = await halfWay(browser, world, 'otto@acme.example');
  const cookies = { nobody: undefined, owner, half, factor: withFactor, nowhere: vera };
  const link = new URL(open.url).pathname;
  return { cookies, link, key, webhook, ticket, member: idOf('otto@acme.example'), invitation: open.id, hook: world.hook };
}

/** The pages. Where no way is told, its path is opened. */
export function pages({ link, key, webhook, ticket, member, invitation, hook }) {
  const acme = (title) => `${title} · Acme`;
  const typed = (label, text, button) => async (page) => {
    await page.getByLabel(label, { exact: true }).fill(text);
    await page.getByRole('button', { name: button, exact: true }).click();
  };
  const draft = '/o/acme/new?template=creator&name=quay&display_name=Quay';
  const seen = (page) => page.getByRole('button', { name: 'See what it would do' }).click();
  const broken = async (page) => {
    await page.getByRole('textbox', { name: 'Blueprint' }).fill('nonsense: true');
    await page.getByRole('button', { name: 'Apply' }).click();
  };
  return [
    ['/signin', 'nobody', 'Sign in', '/signin'],
    ['/signin', 'nobody', 'Sign in', '/signin', async (page) => {
      await page.getByLabel('E-mail address').fill('nobody@acme.example');
      await typed('Password', 'wrong wrong wrong', 'Sign in')(page);
    }],
    ['/signin/code', 'half', 'Second factor', '/signin/code'],
    ['/signin/recovery-code', 'half', 'Recovery code', '/signin/recovery-code'],
    ['/signin/passkey', 'nobody', 'Sign in with a passkey', '/signin/passkey'],
    ['/signin/company', 'nobody', 'Sign in with your company', '/signin/company'],
    ['/signin/company/return/{organization}', 'nobody', 'You are not signed in',
      '/signin/company/return/org_1?state=nonsense'],
    ['/join/{link}', 'nobody', 'Join Acme', link],
    ['/join/{link}', 'nobody', 'This link cannot be used', '/join/nonsense'],
    ['/', 'nowhere', 'Organizations', '/'],
    ['/account', 'owner', 'Your account', '/account'],
    ['/account', 'factor', 'Your account', '/account'],
    ['/account/second-factor', 'owner', 'Set up a second factor', '/account/second-factor'],
    ['/account/second-factor', 'owner', 'Set up a second factor', '/account/second-factor',
      typed('Your password', OWNER.password, 'Go on')],
    ['/account/second-factor/off', 'factor', 'Turn off the second factor', '/account/second-factor/off'],
    ['/account/recovery-codes', 'factor', 'New recovery codes', '/account/recovery-codes'],
    ['/account/passkeys/new', 'owner', 'Add a passkey', '/account/passkeys/new'],
    ['/account/passkeys/new', 'owner', 'Add a passkey', '/account/passkeys/new',
      typed('Your password', OWNER.password, 'Go on')],
    ['/o/{slug}', 'owner', acme('Platforms'), '/o/acme'],
    ['/o/{slug}/new', 'owner', acme('New platform'), '/o/acme/new'],
    ['/o/{slug}/new', 'owner', acme('New platform'), '/o/acme/new?template=creator&name=Quay!'],
    ['/o/{slug}/new', 'owner', acme('New platform'), draft],
    ['/o/{slug}/new/preview', 'owner', acme('What this would do'), draft, seen],
    ['/o/{slug}/platforms/{name}', 'owner', acme('Lighthouse'), '/o/acme/platforms/lighthouse'],
    ['/o/{slug}/platforms/{name}', 'factor', acme('Lighthouse'), '/o/acme/platforms/lighthouse'],
    ['/o/{slug}/platforms/{name}', 'owner', acme('wreck'), '/o/acme/platforms/wreck'],
    ['/o/{slug}/platforms/{name}', 'owner', acme('Lighthouse'), '/o/acme/platforms/lighthouse', broken],
    ['/o/{slug}/platforms/{name}/preview', 'owner', acme('What this would do'), '/o/acme/platforms/lighthouse', seen],
    ['/o/{slug}/platforms/{name}/operations', 'owner', acme('What was done to lighthouse'),
      '/o/acme/platforms/lighthouse/operations'],
    ['/o/{slug}/platforms/{name}/history', 'owner', acme('What the blueprint of lighthouse said'),
      '/o/acme/platforms/lighthouse/history'],
    ['/o/{slug}/platforms/{name}/history/{revision}', 'owner', acme('Revision 1 of lighthouse'),
      '/o/acme/platforms/lighthouse/history/1'],
    ['/o/{slug}/tickets', 'owner', acme('Help'), '/o/acme/tickets'],
    ['/o/{slug}/tickets/new', 'owner', acme('Ask for help'), '/o/acme/tickets/new?platform=lighthouse'],
    ['/o/{slug}/tickets/new', 'owner', acme('Ask for help'), '/o/acme/tickets/new?platform=nobodys', async (page) => {
      await page.getByLabel('What it is about').fill('It is slow');
      await typed('What you ask', 'Why?', 'Ask')(page);
    }],
    ['/o/{slug}/tickets/{id}', 'owner', acme('It is slow'), `/o/acme/tickets/${ticket}`],
    ['/o/{slug}/tickets/{id}/close', 'owner', acme('Close “It is slow”?'), `/o/acme/tickets/${ticket}/close`],
    ['/o/{slug}/people', 'owner', acme('People'), '/o/acme/people'],
    ['/o/{slug}/people/{id}/remove', 'owner', acme('Take out Otto?'), `/o/acme/people/${member}/remove`],
    ['/o/{slug}/people', 'owner', acme('People'), '/o/acme/people',
      typed('E-mail address', 'new@acme.example', 'Make a link')],
    ['/o/{slug}/invitations/{id}/revoke', 'owner', acme('Take back the invitation of open@acme.example?'),
      `/o/acme/invitations/${invitation}/revoke`],
    ['/o/{slug}/keys', 'owner', acme('Keys'), '/o/acme/keys'],
    ['/o/{slug}/keys', 'owner', acme('Keys'), '/o/acme/keys', async (page) => {
      await page.getByLabel('See what was done').check();
      await typed('What it is for', 'a key', 'Make a key')(page);
    }],
    ['/o/{slug}/keys/{id}/revoke', 'owner', acme('Take back the key deploy?'), `/o/acme/keys/${key}/revoke`],
    ['/o/{slug}/webhooks', 'owner', acme('Webhooks'), '/o/acme/webhooks'],
    ['/o/{slug}/webhooks', 'owner', acme('Webhooks'), '/o/acme/webhooks',
      typed('Address', 'http://10.0.0.1/told', 'Make a webhook')],
    ['/o/{slug}/webhooks/{id}', 'owner', acme(hook), `/o/acme/webhooks/${webhook}`],
    ['/o/{slug}/webhooks/{id}', 'owner', acme(hook), `/o/acme/webhooks/${webhook}`,
      (page) => page.getByRole('button', { name: 'Make a new secret' }).click()],
    ['/o/{slug}/webhooks/{id}/remove', 'owner', acme(`Remove ${hook}?`), `/o/acme/webhooks/${webhook}/remove`],
    ['/o/{slug}/audit', 'owner', acme('Audit'), '/o/acme/audit'],
    ['/o/{slug}/settings', 'owner', acme('Settings'), '/o/acme/settings'],
    [null, 'owner', 'Nothing is at this address.', '/nowhere'],
  ].map(([route, who, title, path, way]) => ({ route, who, title, path, way }));
}

/** What is wrong with the page as it is now: to eyes, to screen readers, to hands without a mouse. */
export async function wrongWith(page) {
  const wrong = [];
  const note = (where, found) => wrong.push(...found.map((what) => `${where}: ${what}`));
  note('by Tab', await tabThrough(page));
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      note(`${colorScheme}, ${width} pixels`, [...(await violations(page)), ...(await sticksOut(page))]);
    }
  }
  // At 200 % a window of 1280 pixels holds half as many.
  await page.setViewportSize({ width: 640, height: 400 });
  note('at 200 %', await sticksOut(page));
  const headings = await page.locator('h1').count();
  if (headings !== 1) wrong.push(`${headings} headings of the first level`);
  note('in the browser', complaints(page));
  return wrong;
}

/** Whoever holds the link of an invitation joins. Gives their cookies. */
function joined(browser, { url }, name) {
  return by(browser, undefined, async (page) => {
    await page.goto(url);
    await page.getByLabel('Your name').fill(name);
    await page.getByLabel('Password').fill(OWNER.password);
    await page.getByRole('button', { name: 'Make an account and join' }).click();
    await page.waitForURL('**/o/acme');
  });
}

function setUpFactor(browser, { site }, cookies) {
  return by(browser, cookies, async (page) => {
    await page.goto(new URL('/account/second-factor', site).href);
    await page.getByLabel('Your password').fill(OWNER.password);
    await page.getByRole('button', { name: 'Go on' }).click();
    const secret = await page.locator('main code').innerText();
    await page.getByLabel('Code of six digits').fill(codeOf(secret));
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
  });
}

function halfWay(browser, { site }, email) {
  return by(browser, undefined, async (page) => {
    await page.goto(new URL('/signin', site).href);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password').fill(OWNER.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/signin/code**');
  });
}

/** Does something as whoever has these cookies. Gives those that they have then. */
async function by(browser, cookies, work) {
  const page = await newPage(browser, { storageState: cookies });
  try {
    await work(page);
    assert.deepEqual(page.complaints, []);
    return await page.context().storageState();
  } finally {
    await page.context().close();
  }
}
