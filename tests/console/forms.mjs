// Every form of the console, sent by people whose browsers run no scripts; passkeys by one that does.

import assert from 'node:assert/strict';

import { newPage } from '../browser/browser.mjs';
import { OWNER, saw } from './control-plane.mjs';
import { codeOf, says } from './people.mjs';
import { CLIENT, startProvider } from './provider.mjs';

const PLATFORM = '/o/acme/platforms/harbour';
const MOST_LOOKS = 100;

/** Members and invitations: what is wrong is said and what was typed stays; what goes is asked twice. */
export async function people(page, world, openAs) {
  await go(page, world, '/o/acme/people');
  await invite(page, OWNER.email);
  await says(page, 'Somebody of this address is a member already.');
  assert.equal(await page.getByLabel('E-mail address').inputValue(), OWNER.email);
  await invite(page, 'mia@acme.example');
  await says(page, 'The invitation is made.');
  const link = await page.locator('[role=status] code').innerText();
  const other = await openAs(undefined);
  await other.goto(link);
  await other.getByLabel('Your name').fill('Mia');
  await other.getByLabel('Password').fill(OWNER.password);
  await send(other, 'Make an account and join', 'You have joined this organization.');

  await go(page, world, '/o/acme/people');
  const row = page.getByRole('row', { name: /^Mia/ });
  await row.getByRole('combobox').selectOption('Developer');
  await row.getByRole('button', { name: 'Set' }).click();
  await says(page, 'The role is set.');
  await row.getByRole('link', { name: 'Take out Mia' }).click();
  await page.getByRole('link', { name: 'Leave it as it is' }).click();
  await row.getByRole('link', { name: 'Take out Mia' }).click();
  await send(page, 'Take out', 'They are taken out');
  assert.equal(await row.count(), 0);

  await invite(page, 'noa@acme.example');
  await page.getByRole('link', { name: 'Take back the invitation of noa@acme.example' }).click();
  await send(page, 'Take back', 'The invitation is taken back.');
}

/** Keys, webhooks and settings. */
export async function keysAndWebhooks(page, world) {
  await go(page, world, '/o/acme/keys');
  await page.getByLabel('What it is for').fill('deploy');
  await send(page, 'Make a key', 'No key was made.');
  assert.equal(await page.getByLabel('What it is for').inputValue(), 'deploy');
  await page.getByLabel('See what was done').check();
  await send(page, 'Make a key', 'It is shown here and never again.');
  await page.getByRole('link', { name: 'Take back deploy' }).click();
  await send(page, 'Take back', 'The key is taken back.');

  await go(page, world, '/o/acme/webhooks');
  await page.getByLabel('Address').fill('http://10.0.0.1/told');
  await page.getByLabel('platform.phase').check();
  await page.getByRole('button', { name: 'Make a webhook' }).click();
  await page.locator('.field__error').waitFor();
  assert.equal(await page.getByLabel('Address').inputValue(), 'http://10.0.0.1/told');
  assert.ok(await page.getByLabel('platform.phase').isChecked());
  await page.getByLabel('platform.phase').uncheck();
  await page.getByLabel('Address').fill(world.hook);
  await send(page, 'Make a webhook', 'which is shown here and never again');
  await page.getByRole('link', { name: world.hook, exact: true }).click();
  await send(page, 'Make a new secret', 'The secret is made.');
  const again = page.getByRole('button', { name: /^Tell again/ }).first();
  await comes(page, again, () => page.goto(page.url().replace(/\/secret$/, '')));
  await again.click();
  await says(page, 'It is told again, in a moment.');
  await page.getByRole('link', { name: 'Remove it' }).click();
  await send(page, 'Remove it', 'The webhook is removed.');

  await go(page, world, '/o/acme/settings');
  const rules = page.getByRole('region', { name: 'How members come in' });
  await rules.getByRole('button', { name: 'Set' }).click();
  await says(page, 'It is so from now on.');
}

/** Help is asked for, asked for again and done with. */
export async function tickets(page, world) {
  await go(page, world, '/o/acme/tickets');
  await page.getByRole('link', { name: 'Ask for help' }).first().click();
  await page.getByLabel('What it is about').fill('It is slow');
  await page.getByLabel('Platform').fill('nobodys');
  await page.getByLabel('What you ask').fill('Since noon.\nEvery page.');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.locator('.field__error').waitFor();
  assert.equal(await page.getByLabel('What it is about').inputValue(), 'It is slow');
  await page.getByLabel('Platform').fill('');
  await send(page, 'Ask', 'It is asked.');
  await page.getByText('Every page.').waitFor();
  await page.getByLabel('Your message').fill('Still.');
  await send(page, 'Say it', 'It is said.');
  await page.getByRole('link', { name: 'Close the ticket' }).click();
  await page.getByRole('link', { name: 'Leave it as it is' }).click();
  await page.getByRole('link', { name: 'Close the ticket' }).click();
  await send(page, 'Close it', 'The ticket is closed.');
}

/** A company's provider is set up, lets in, and is taken away. */
export async function singleSignOn(page, world, openAs) {
  const provider = await startProvider(OWNER.email);
  try {
    await go(page, world, '/o/acme/settings');
    const about = page.getByRole('region', { name: 'Single sign-on' });
    const set = async (issuer) => {
      await about.getByLabel('Issuer').fill(issuer);
      await about.getByLabel('Client ID').fill(CLIENT.id);
      await about.getByLabel('Client secret').fill(CLIENT.secret);
      await about.getByLabel('E-mail domains').fill('acme.example');
      await about.getByRole('button', { name: 'Set' }).click();
    };
    await set('http://10.0.0.1');
    await says(page, 'Nothing was changed');
    assert.equal(await about.getByLabel('Issuer').inputValue(), 'http://10.0.0.1');
    await set(provider.issuer);
    await says(page, 'It is so from now on.');

    const other = await openAs(undefined);
    await go(other, world, '/signin');
    await other.getByRole('link', { name: 'Sign in with your company' }).click();
    const who = other.getByLabel(/organization's short name/);
    await who.fill('nobody');
    await other.getByRole('button', { name: 'Go on' }).click();
    await says(other, 'Nobody signs in this way');
    await who.fill(OWNER.email);
    await other.getByRole('button', { name: 'Go on' }).click();
    await other.getByText('Your company lets you in at 127.0.0.1').waitFor();
    await other.getByRole('link', { name: 'Go on' }).click();
    await other.waitForURL('**/o/acme');
    await says(other, 'You are signed in.');

    await send(page, 'Take single sign-on away', 'Single sign-on is taken away.');
    await other.reload();
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();
  } finally {
    provider.stop();
  }
}

/** A platform from nothing to deleted, and back. */
export async function platform(page, world) {
  await go(page, world, '/o/acme/new');
  await page.getByLabel('Name', { exact: true }).fill('Harbour!');
  await page.getByLabel('What people call it').fill('Harbour');
  await page.getByRole('button', { name: 'Next: its blueprint' }).click();
  await page.locator('.field__error').waitFor();
  assert.equal(await page.getByLabel('What people call it').inputValue(), 'Harbour');
  await page.getByLabel('Name', { exact: true }).fill('harbour');
  await send(page, 'Next: its blueprint', 'Nothing is made yet.');
  await send(page, 'See what it would do', 'Nothing is done yet.');
  await send(page, 'Create platform', 'The platform is made.');

  // What was just done is seen by all who look a moment later.
  await comes(page, text(page), () => page.goto(new URL(PLATFORM, world.site).href));
  await send(page, 'See what it would do', 'Nothing is done yet.');
  await text(page).fill('nonsense: true');
  await send(page, 'Apply', 'Nothing was changed.');
  assert.equal((await text(page).inputValue()).trim(), 'nonsense: true');
  await go(page, world, PLATFORM);
  const written = await text(page).inputValue();
  await text(page).fill(written.replace('displayName: Harbour', 'displayName: Pier'));
  await send(page, 'Apply', 'The change is taken.');
  await page.getByRole('link', { name: 'What its blueprint said before' }).click();
  await page.getByRole('link', { name: 'Revision 1' }).click();
  await send(page, 'Apply this again', 'Nothing is done yet.');
  await page.getByRole('link', { name: 'Leave it as it is' }).click();
  await page.getByRole('link', { name: 'All that was done to it' }).click();
  await page.getByRole('link', { name: 'To the platform' }).click();
  await send(page, 'Try again at once', 'It is tried again now.');
  await saw('harbour', { phase: 'Ready', url: 'https://shop.example' });
  const letIn = page.getByRole('button', { name: 'Make an admin link' });
  await comes(page, letIn, () => page.reload());
  await send(page, 'Make an admin link', 'The admin link is made.');
  await page.getByRole('link', { name: /\/welcome\/A{43}$/ }).waitFor();
  const claim = page.getByRole('button', { name: 'Claim it' });
  await send(page, 'Hand it to kubectl', 'The platform is written by kubectl from now on.');
  await comes(page, claim, () => page.reload());
  await claim.click();
  await says(page, 'The platform is written here from now on.');
  const stop = page.getByRole('button', { name: 'Stop it' });
  await comes(page, stop, () => page.reload());
  await stop.click();
  await says(page, 'The platform is stopped.');
  const up = page.getByRole('button', { name: 'Take it up again' });
  await comes(page, up, () => page.reload());
  await up.click();
  await says(page, 'The platform is taken up again.');
  await page.getByLabel('Its name').fill('harbor');
  await page.getByRole('button', { name: 'Delete it' }).click();
  await says(page, 'Nothing was deleted.');
  assert.equal(await page.getByLabel('Its name').inputValue(), 'harbor');
  await page.getByLabel('Its name').fill('harbour');
  await send(page, 'Delete it', 'The platform is deleted.');
  const back = page.getByRole('button', { name: 'Bring it back' });
  await comes(page, back, () => page.reload());
  await back.click();
  await says(page, 'The platform is brought back');
}

/** Signing in and out in every way that needs no scripts, and devices that are signed out from afar. */
export async function account(page, world, openAs) {
  const signedIn = async () => {
    const other = await openAs(undefined);
    await go(other, world, '/signin?next=/account');
    await password(other);
    return other;
  };
  const elsewhere = page.getByRole('row').filter({ hasNotText: 'This one' });
  const ways = [
    [elsewhere.getByRole('button', { name: /^Sign out/ }), 'That device is signed out.'],
    [page.getByRole('button', { name: 'Sign out all other devices' }), 'All other devices are signed out.'],
  ];
  for (const [button, told] of ways) {
    const other = await signedIn();
    await says(other, 'You are signed in.');
    await go(page, world, '/account');
    await button.click();
    await says(page, told);
    await other.reload();
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();
  }

  await page.getByRole('link', { name: 'Set it up' }).click();
  await page.getByLabel('Your password').fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Go on' }).click();
  await says(page, 'password');
  await page.getByLabel('Your password').fill(OWNER.password);
  await page.getByRole('button', { name: 'Go on' }).click();
  const secret = await page.locator('main code').innerText();
  await page.getByLabel('Code of six digits').fill(codeOf(secret));
  await send(page, 'Turn it on', 'Your second factor is on.');
  const [onPaper] = await page.locator('main li code').allInnerTexts();

  await signOut(page);
  await go(page, world, '/signin?next=/account');
  await password(page, 'wrong wrong wrong');
  assert.equal(await page.getByLabel('E-mail address').inputValue(), OWNER.email);
  await password(page);
  // Each half minute's code is good once, and that of the next one counts as well.
  await page.getByLabel('Code of six digits').fill(codeOf(secret, 1));
  await send(page, 'Sign in', 'You are signed in.');

  await page.getByRole('link', { name: 'New recovery codes' }).click();
  await page.getByLabel(/recovery code/).fill(onPaper);
  await send(page, 'Make new codes', 'Your second factor is on.');
  const [first, second] = await page.locator('main li code').allInnerTexts();
  await page.getByRole('link', { name: 'I have kept them' }).click();
  await signOut(page);
  await go(page, world, '/signin?next=/account');
  await password(page);
  await page.getByRole('link', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(first);
  await send(page, 'Sign in', 'You are signed in.');
  await page.getByRole('link', { name: 'Turn it off' }).click();
  await page.getByLabel(/recovery code/).fill(second);
  await send(page, 'Turn it off', 'The second factor is off');
}

/** A passkey is made, lets its person in, and is removed: with scripts, and a device that is played. */
export async function passkey(page, world) {
  const device = await page.context().newCDPSession(page);
  await device.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true };
  await device.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, hasUserVerification: true, isUserVerified: true },
  });
  await go(page, world, '/account');
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await page.getByLabel('Your password').fill(OWNER.password);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByLabel('What you call it').fill('A phone');
  await send(page, 'Make a passkey', 'The passkey is added.');
  await signOut(page);
  await page.getByRole('link', { name: 'Sign in with it' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.waitForURL('**/o/acme');
  await go(page, world, '/account');
  await send(page, 'Remove A phone', 'The passkey is removed.');
}

/** A page of somebody's whose forms are remembered. */
export async function writing(browser, sent, options) {
  const page = await newPage(browser, options);
  page.on('request', (request) => {
    if (request.method() === 'POST') sent.add(new URL(request.url()).pathname);
  });
  return page;
}

const text = (page) => page.getByRole('textbox', { name: 'Blueprint' });

async function go(page, { site }, path) {
  await page.goto(new URL(path, site).href);
}

async function send(page, button, told) {
  await page.getByRole('button', { name: button, exact: true }).click();
  await says(page, told);
}

async function invite(page, email) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('button', { name: 'Make a link' }).click();
}

async function password(page, word = OWNER.password) {
  if ((await page.getByLabel('E-mail address').inputValue()) === '') {
    await page.getByLabel('E-mail address').fill(OWNER.email);
  }
  await page.getByLabel('Password').fill(word);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

async function signOut(page) {
  await page.locator('summary').click();
  await send(page, 'Sign out', 'You are signed out.');
}

/** Looks until it is there: it is done a moment later. */
async function comes(page, target, look) {
  for (let looks = 0; looks < MOST_LOOKS && (await target.count()) === 0; looks += 1) {
    await page.waitForTimeout(50);
    await look();
  }
  await target.waitFor();
}
