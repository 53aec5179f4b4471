// axe-core on a page, and the pages that a person can reach.

import { createRequire } from 'node:module';

const { source } = createRequire(import.meta.url)('axe-core');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const MOST_PAGES = 60;

/** What axe finds wrong with the page as it is now: one line for each element. */
export async function violations(page) {
  await page.evaluate(source);
  const found = await page.evaluate(
    (tags) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }),
    TAGS,
  );
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, any }) => `${id} at ${target.join(' ')}: ${any[0]?.message ?? help}`),
  );
}

/**
 * What makes the page wider than the window, so that a person has to scroll sideways: the
 * innermost elements that stick out, or nothing.
 */
export function sticksOut(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = [...document.body.querySelectorAll('*')].filter(
      (element) => element.getBoundingClientRect().right > clientWidth + 1,
    );
    const innermost = out.filter((element) => !out.some((other) => other !== element && element.contains(other)));
    const name = ({ tagName, className }) => `${tagName.toLowerCase()}.${className}`;
    return innermost.slice(0, 5).map((element) => `scrolls sideways at ${name(element)}`);
  });
}

/**
 * Every page that links lead to from the given ones, on the same site. Links only: following
 * them must change nothing, buttons may.
 */
export async function reachablePages(page, site, starts) {
  const found = new Set(starts.map((path) => new URL(path, site).pathname));
  for (const path of found) {
    const answer = await page.goto(new URL(path, site).href);
    if (!answer?.headers()['content-type']?.startsWith('text/html')) {
      found.delete(path);
      continue;
    }
    const links = await page.locator('a[href]:not([download])').evaluateAll((all) => all.map((a) => a.href));
    for (const link of links.map((href) => new URL(href))) {
      if (link.origin === new URL(site).origin && found.size < MOST_PAGES) found.add(link.pathname);
    }
  }
  return [...found].sort();
}
