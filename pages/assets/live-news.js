// <live-news data-src="..." [data-page="..."]>: while the page is looked at, listens to what becomes of
// platforms. After news the page is fetched again, and of it only the elements that are marked take the place of
// those here, each known by its id: `data-live` whole, of `data-live-rows` the children that are new or gone. What
// changed is said to readers of screens where the element has `data-announce`: that word, and its text. Until all of
// it is shown the page is behind, and is fetched again: when it is looked at again, when the focus leaves what could
// not be replaced, after a while where it could not be had. Without scripts there is a link to look again.

const PAUSE = 1_000;
const LONGEST = 60_000;
const TRIES = 8;
const SAID = 3;

const wordsOf = (element) => element.textContent.trim().replace(/\s+/g, " ");
const waitAfter = (tries) => Math.min(PAUSE * 2 ** tries, LONGEST) * (0.75 + Math.random() / 2);
const hasFocus = (element) => element.contains(document.activeElement);

class LiveNews extends HTMLElement {
  connectedCallback() {
    this.tries = 0;
    this.misses = 0;
    this.told = 0; // News that came,
    this.shown = 0; // and up to which of them the page says them.
    this.seen = () => (document.hidden ? this.rest() : this.listen());
    this.left = () => this.behind(PAUSE);
    document.addEventListener("visibilitychange", this.seen);
    document.addEventListener("focusout", this.left);
    this.seen();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.seen);
    document.removeEventListener("focusout", this.left);
    this.rest();
  }

  // Nobody looks: nothing is asked for.
  rest() {
    clearTimeout(this.again);
    clearTimeout(this.soon);
    this.soon = undefined;
    this.source?.close();
    this.source = undefined;
  }

  listen() {
    this.behind(PAUSE);
    if (this.source) return;
    const from = new URL(this.dataset.src, location.href);
    if (this.heard) from.searchParams.set("after", this.heard);
    this.source = new EventSource(from);
    for (const kind of ["platform", "gone", "all"]) {
      this.source.addEventListener(kind, (event) => this.news(event));
    }
    this.source.addEventListener("error", () => this.lost());
  }

  // The browser asks again by itself, but not where it was refused.
  lost() {
    if (this.source?.readyState !== EventSource.CLOSED) return;
    this.source = undefined;
    this.tries += 1;
    if (this.tries > TRIES) return;
    this.again = setTimeout(this.seen, waitAfter(this.tries));
  }

  news({ lastEventId }) {
    this.heard = lastEventId || this.heard;
    this.tries = 0;
    this.misses = 0;
    this.told += 1;
    this.behind(PAUSE);
  }

  // Looks, where there is something that the page does not say. Many news at once are one look.
  behind(wait) {
    if (this.shown === this.told || document.hidden) return;
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.look().catch(() => this.missed());
    }, wait);
  }

  missed() {
    this.misses += 1;
    if (this.misses <= TRIES) this.behind(waitAfter(this.misses));
  }

  async look() {
    const told = this.told;
    const response = await fetch(this.dataset.page ?? location.href, {
      headers: { Accept: "text/html", "X-Look": "1" },
      credentials: "same-origin",
      cache: "no-store",
    });
    // Signed out: who goes on will be told.
    if (response.redirected) return;
    if (!response.ok) throw new Error(`looked and got ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    this.misses = 0;
    const said = [];
    if (this.put(page, said)) this.shown = told;
    this.say(said);
  }

  // Puts all that is marked in its place; false where some of it has the focus, and stays as it was.
  put(page, said) {
    let isAll = true;
    const passes = [["[data-live-rows]", arrange], ["[data-live]", renew]];
    for (const [marked, change] of passes) {
      for (const old of document.querySelectorAll(marked)) {
        const fresh = page.getElementById(old.id);
        const isOfRow = old.parentElement.closest("[data-live-rows]");
        // It is another page by now, as that of a fleet which was empty.
        if (!fresh && !isOfRow) location.replace(this.dataset.page ?? location.href.split("#")[0]);
        if (!fresh || !change(old, fresh, said)) isAll = false;
      }
    }
    return isAll;
  }

  say(said) {
    const announcer = document.getElementById("announcer");
    if (!announcer || said.length === 0) return;
    const more = said.length > SAID ? `, and ${said.length - SAID} more` : "";
    announcer.textContent = said.slice(0, SAID).join(". ") + more;
  }
}

// Takes out children that are gone, and puts in those that are new, where they are by now.
function arrange(old, fresh, said) {
  let isAll = true;
  const there = new Set([...fresh.children].map((row) => row.id));
  for (const row of [...old.children].filter(({ id }) => !there.has(id))) {
    if (hasFocus(row)) isAll = false;
    else row.remove();
  }
  let next = null;
  for (const row of [...fresh.children].reverse()) {
    let here = [...old.children].find(({ id }) => id === row.id);
    if (!here) {
      here = document.importNode(row, true);
      old.insertBefore(here, next);
      for (const part of here.querySelectorAll("[data-announce]")) announce(part, said);
    }
    next = here;
  }
  return isAll;
}

// Puts what it is by now in its place.
function renew(old, fresh, said) {
  if (fresh.outerHTML === old.outerHTML) return true;
  if (hasFocus(old)) return false;
  const before = wordsOf(old);
  const now = document.importNode(fresh, true);
  old.replaceWith(now);
  if (wordsOf(now) !== before) announce(now, said);
  return true;
}

function announce(element, said) {
  const [word, words] = [element.dataset.announce, wordsOf(element)];
  if (word !== undefined && words) said.push(word ? `${word}: ${words}` : words);
}
customElements.define("live-news", LiveNews);
