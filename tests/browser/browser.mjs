// Debian's Chromium, driven by Playwright. Names under `.localhost` it resolves by itself.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** Starts the browser without any of its own traffic. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Chromium's sandbox refuses root; these pages are our own.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

/**
 * A page in a profile of its own. `page.complaints` collects what a person with the developer
 * tools open would see: errors of scripts, refusals by the content security policy, 5xx answers.
 */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') page.complaints.push(`console: ${message.text()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) page.complaints.push(`${response.status()} ${response.url()}`);
  });
  return page;
}

/** Does the work on a page of its own; on failure keeps a picture and the HTML as evidence. */
export async function onPage(browser, title, options, work) {
  const page = await newPage(browser, options);
  try {
    return await work(page);
  } catch (error) {
    await keepEvidence(page, title).catch(() => {});
    throw error;
  } finally {
    await page.context().close();
  }
}

async function keepEvidence(page, title) {
  const folder = process.env.SOULFRA_EVIDENCE ?? 'evidence';
  await mkdir(folder, { recursive: true });
  const file = join(folder, title.replaceAll(/[^a-z0-9]+/gi, '-'));
  await writeFile(`${file}.html`, `<!-- ${page.url()} -->\n${await page.content()}`);
  await page.screenshot({ path: `${file}.png`, fullPage: true });
  console.log(`evidence: ${file}.png and .html`);
}
