// <brand-preview data-css="/admin/brand/preview.css" data-check="/admin/brand/preview">: stands
// around the brand form. While a person chooses, the page wears the choice; what cannot be read
// is told with the nearest shade that can, ready to be taken. Nothing is saved before the form is.

class BrandPreview extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.show(), 200);
    });
    this.addEventListener("click", (event) => this.take(event.target));
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  // Looked up each time: saving may have replaced it.
  get form() {
    return this.querySelector("form");
  }

  query() {
    const text = [...new FormData(this.form)].filter(([, value]) => typeof value === "string");
    return new URLSearchParams(text).toString();
  }

  show() {
    const query = this.query();
    this.wear(`${this.dataset.css}?${query}`);
    if (this.dataset.check) this.check(`${this.dataset.check}?${query}`);
  }

  // The new sheet is added before the old one goes, so that the page is never bare.
  wear(href) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = href;
    link.dataset.brand = "";
    link.addEventListener("load", () => {
      for (const old of document.querySelectorAll("link[data-brand]")) {
        if (old === link) break;
        old.remove();
      }
    });
    link.addEventListener("error", () => link.remove());
    document.head.append(link);
  }

  async check(url) {
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const response = await fetch(url, {
        headers: { Accept: "application/json" },
        credentials: "same-origin",
        signal: this.asked.signal,
      });
      if (response.ok) this.tell((await response.json()).problems ?? []);
    } catch {
      // The preview is a help; saving checks again.
    }
  }

  tell(problems) {
    const list = this.querySelector("[data-contrast]");
    if (!list) return;
    list.replaceChildren(
      ...problems.map(({ token, text, suggestion }) => {
        const item = document.createElement("li");
        item.textContent = `${text} `;
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button button--small";
        button.dataset.token = token;
        button.dataset.color = suggestion;
        button.textContent = `Use ${suggestion}`;
        item.append(button);
        return item;
      }),
    );
  }

  take(target) {
    const button = target.closest?.("button[data-token]");
    const input = button && this.form.elements.namedItem(button.dataset.token);
    if (!input) return;
    input.value = button.dataset.color;
    input.focus();
    this.show();
  }
}
customElements.define("brand-preview", BrandPreview);
