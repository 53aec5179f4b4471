// <live-news data-src="..." [data-page="..."]>: while the page is looked at, listens to what becomes of
// platforms. After news the page is fetched again, and of it only the elements that are marked `data-live`
// (each has an id) take the place of those here. What changed is said to readers of screens where the element
// has `data-announce`: that word, and its text. Without scripts there is a link to look again.

const PAUSE = 1_000;
const LONGEST = 60_000;
const TRIES = 8;
const SAID = 3;

const wordsOf = (element) => element.textContent.trim().replace(/\s+/g, " ");

class LiveNews extends HTMLElement {
  connectedCallback() {
    this.tries = 0;
    this.seen = () => (document.hidden ? this.rest() : this.listen());
    document.addEventListener("visibilitychange", this.seen);
    this.seen();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.seen);
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
    this.rest();
    this.tries += 1;
    if (this.tries > TRIES) return;
    const wait = Math.min(PAUSE * 2 ** this.tries, LONGEST) * (0.75 + Math.random() / 2);
    this.again = setTimeout(this.seen, wait);
  }

  // Many at once are one look.
  news({ lastEventId }) {
    this.heard = lastEventId || this.heard;
    this.tries = 0;
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.look().catch(() => {}); // As it was, until there are news again.
    }, PAUSE);
  }

  async look() {
    const response = await fetch(this.dataset.page ?? location.href, {
      headers: { Accept: "text/html", "X-Look": "1" },
      credentials: "same-origin",
      cache: "no-store",
    });
    // Signed out, or nothing there any more: who goes on will be told.
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const said = [...document.querySelectorAll("[data-live]")].map((old) => this.renew(old, page));
    this.say(said.filter(Boolean));
  }

  // Puts what it is by now in its place, and gives what is to be said of it.
  renew(old, page) {
    const fresh = page.getElementById(old.id);
    if (!fresh || fresh.outerHTML === old.outerHTML || old.contains(document.activeElement)) return null;
    const before = wordsOf(old);
    const now = document.importNode(fresh, true);
    old.replaceWith(now);
    const words = wordsOf(now);
    if (now.dataset.announce === undefined || !words || words === before) return null;
    return now.dataset.announce ? `${now.dataset.announce}: ${words}` : words;
  }

  say(said) {
    const announcer = document.getElementById("announcer");
    if (!announcer || said.length === 0) return;
    const more = said.length > SAID ? `, and ${said.length - SAID} more` : "";
    announcer.textContent = said.slice(0, SAID).join(". ") + more;
  }
}
customElements.define("live-news", LiveNews);
