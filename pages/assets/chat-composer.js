// <chat-composer data-list="ID">: sends its form without leaving the page and adds the answer's
// messages to the list; without `data-list` the form goes where it would go. Enter sends,
// Shift+Enter begins a line; on a touch screen Enter begins a line and the button sends. Text is
// only cleared once the server has it.

class ChatComposer extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.field = this.querySelector("textarea");
    if (!this.form || !this.field || this.ready) return;
    this.ready = true;
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("input", () => this.fit());
    this.fit();
    if (!this.dataset.list) return;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    // A conversation is read from its end.
    if (!location.hash) scrollTo({ top: document.scrollingElement.scrollHeight });
  }

  key(event) {
    const plain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    // Enter that ends a composed character (Japanese, Chinese, ...) is not meant for us.
    if (event.key !== "Enter" || !plain || event.isComposing || event.keyCode === 229) return;
    if (matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    // A key that is held down does not send twice.
    if (!event.repeat) this.form.requestSubmit();
  }

  // Where the style sheet cannot do it.
  fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  async send() {
    const text = this.field.value;
    if (this.busy || !text.trim()) return;
    this.busy = true;
    this.form.setAttribute("aria-busy", "true");
    this.fail(null);
    try {
      const response = await fetch(this.form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(this.form)),
        credentials: "same-origin",
      });
      await this.take(response, text);
    } catch {
      this.fail("The server could not be reached. Your text is still here; please try again.");
    } finally {
      this.busy = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  async take(response, sent) {
    const type = response.headers.get("Content-Type") ?? "";
    const answer = type.includes("json") ? await response.json().catch(() => null) : null;
    if (!response.ok) {
      this.fail(answer?.detail ?? answer?.title ?? "That could not be sent. Please try again.");
      return;
    }
    // What was typed while it was being sent stays.
    if (this.field.value === sent) this.field.value = "";
    this.fit();
    const list = document.getElementById(this.dataset.list);
    if (typeof answer?.html === "string" && list) {
      list.insertAdjacentHTML("beforeend", answer.html);
      document.querySelector("[data-starters]")?.remove();
      list.lastElementChild?.scrollIntoView({ block: "end" });
      scrollTo({ top: document.scrollingElement.scrollHeight });
      if (answer.href) history.replaceState(null, "", answer.href);
      this.field.focus();
    } else {
      // It was sent: never send it again, go and look.
      location.assign(answer?.location ?? response.url);
    }
  }

  fail(text) {
    let error = this.querySelector("[role=alert]");
    if (!text) {
      error?.remove();
      this.field.removeAttribute("aria-invalid");
      return;
    }
    if (!error) {
      error = document.createElement("p");
      error.className = "field__error";
      error.setAttribute("role", "alert");
      this.form.prepend(error);
    }
    error.textContent = text;
    this.field.setAttribute("aria-invalid", "true");
    this.field.focus();
  }
}
customElements.define("chat-composer", ChatComposer);
