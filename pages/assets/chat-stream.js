// <chat-stream data-src="..." data-after="OFFSET.BLOCKS">: shows an answer while it is written.
//
// Events carry the id OFFSET.BLOCKS: how much text was sent, and how many finished blocks.
//   waits {"text"}                no text yet; says who comes first, until the first text
//   delta {"text"}                more text, shown as it is
//   block {"html", "rest"}        a finished block; `rest` is the text behind it, shown as it is
//   done  {"html", "state", "note"}   all of it
// After a cut the request is made again with the last id, and an event that was seen already is
// passed over, so no text is lost and none is doubled. Readers of screens hear whole blocks.

const TRIES = 8;

class ChatStream extends HTMLElement {
  connectedCallback() {
    if (this.aborter || this.getAttribute("aria-busy") !== "true") return;
    this.rendered = this.querySelector("[data-rendered]");
    this.live = this.querySelector("[data-live]");
    this.last = this.dataset.after || "0.0";
    this.said = this.rendered.childElementCount;
    this.aborter = new AbortController();
    this.querySelector("form[data-stop]")?.addEventListener("submit", (event) => this.stop(event));
    this.follow();
  }

  disconnectedCallback() {
    this.aborter?.abort();
    this.aborter = null;
  }

  // Reads until the answer is complete, through cuts and restarts of the server.
  async follow() {
    const { signal } = this.aborter;
    let tries = 0;
    while (!signal.aborted && !this.over) {
      const before = this.last;
      try {
        const response = await fetch(this.dataset.src, {
          headers: { Accept: "text/event-stream", "Last-Event-ID": this.last },
          credentials: "same-origin",
          cache: "no-store",
          signal,
        });
        if (response.ok && response.status !== 204) {
          await this.read(response.body);
        } else if (response.status < 500 && response.status !== 429 && response.status !== 408) {
          // Signed out, or nothing there any more: the page knows more than we do.
          return this.lost("This answer can no longer be followed.");
        }
      } catch (error) {
        if (signal.aborted) return;
      }
      if (signal.aborted || this.over) return;
      tries = this.last === before ? tries + 1 : 1;
      if (tries > TRIES) return this.lost("The connection was lost.");
      const wait = Math.min(500 * 2 ** (tries - 1), 15_000);
      await new Promise((done) => setTimeout(done, wait * (0.75 + Math.random() / 2)));
    }
  }

  // The lines of an event stream, as the standard has them.
  async read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    let event = { type: "message", data: [], id: null };
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += value;
      // A carriage return at the very end may be half of a line ending.
      const lines = buffer.split(/\r\n|\n|\r(?!$)/);
      buffer = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length > 0) this.take(event);
          event = { type: "message", data: [], id: null };
          if (this.over) return reader.cancel();
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event.type = text;
        else if (field === "data") event.data.push(text);
        else if (field === "id") event.id = text;
      }
    }
  }

  take({ type, data, id }) {
    const [offset, blocks] = place(id ?? this.last);
    const [hadOffset, hadBlocks] = place(this.last);
    const seen = type === "delta" ? offset <= hadOffset : type === "block" && blocks <= hadBlocks;
    if (id && seen) return;
    const content = JSON.parse(data.join("\n"));
    const atEnd = isAtEnd();
    if (type === "waits") {
      this.waits(content.text);
    } else if (type === "delta") {
      this.waiting?.remove();
      this.live.append(content.text);
    } else if (type === "block") {
      this.rendered.insertAdjacentHTML("beforeend", content.html);
      this.live.textContent = content.rest ?? "";
      this.say(this.rendered);
    } else if (type === "done") {
      this.complete(content);
    }
    if (id) this.last = id;
    if (atEnd) scrollTo({ top: document.scrollingElement.scrollHeight });
  }

  // Above the text to come; `complete` replaces it with all the rest.
  waits(text) {
    if (!this.waiting) {
      this.waiting = document.createElement("p");
      this.waiting.className = "message__note";
      this.waiting.setAttribute("role", "status");
      this.live.before(this.waiting);
    }
    this.waiting.textContent = text;
  }

  complete({ html, state, note }) {
    this.over = true;
    const prose = document.createElement("div");
    prose.className = "prose";
    prose.innerHTML = html;
    // Focus on the Stop button would be lost with it.
    const focused = this.contains(document.activeElement);
    this.replaceChildren(prose);
    if (note) this.note(note, state);
    this.removeAttribute("aria-busy");
    if (focused) document.querySelector("chat-composer textarea")?.focus();
    this.say(prose, note);
    this.dispatchEvent(new CustomEvent("chat-done", { bubbles: true, detail: { state } }));
  }

  note(text, state) {
    const note = document.createElement("p");
    note.className = `message__note message__note--${state}`;
    note.textContent = text;
    this.append(note);
    return note;
  }

  lost(text) {
    this.over = true;
    this.removeAttribute("aria-busy");
    this.querySelector("form[data-stop]")?.remove();
    this.waiting?.remove();
    const note = this.note(`${text} `, "failed");
    note.setAttribute("role", "alert");
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Load the page again";
    link.addEventListener("click", (event) => {
      event.preventDefault();
      location.reload();
    });
    note.append(link);
  }

  // Stopping is a form, so it works without scripts too; here the page stays, and the stream
  // itself says how it ended.
  async stop(event) {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        credentials: "same-origin",
      });
      if (!response.ok) button.removeAttribute("aria-disabled");
    } catch {
      button.removeAttribute("aria-disabled");
    }
  }

  // Reads out the blocks that were not yet read out.
  say(root, note) {
    const announcer = document.getElementById("announcer");
    if (!announcer) return;
    const fresh = [...root.children].slice(this.said).map((block) => block.textContent.trim());
    this.said = Math.max(this.said, root.childElementCount);
    for (const text of [...fresh, note ?? ""].filter(Boolean)) {
      const line = document.createElement("p");
      line.textContent = text;
      announcer.append(line);
    }
    while (announcer.childElementCount > 20) announcer.firstElementChild.remove();
  }
}

const place = (id) => {
  const [offset, blocks] = id.split(".").map(Number);
  return [offset || 0, blocks || 0];
};

const isAtEnd = () => {
  const page = document.scrollingElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < 64;
};

customElements.define("chat-stream", ChatStream);
