// The reader's choice of light or dark. Not a module: it runs before the page is painted, so
// that a dark page does not flash white. Where the brand fixes the theme it does nothing.
(() => {
  const root = document.documentElement;
  const KEY = "theme";
  const fixed = root.hasAttribute("data-theme-fixed");

  // A browser may forbid storage; then the choice holds for this page.
  const stored = () => {
    try {
      const value = localStorage.getItem(KEY);
      return value === "light" || value === "dark" ? value : null;
    } catch {
      return null;
    }
  };
  const store = (value) => {
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // As above.
    }
  };

  const choice = stored();
  if (!fixed && choice) root.dataset.theme = choice;

  const isDark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;

  class ThemeToggle extends HTMLElement {
    connectedCallback() {
      if (fixed || this.firstChild) return;
      this.button = document.createElement("button");
      this.button.type = "button";
      this.button.className = "button button--quiet";
      this.button.addEventListener("click", () => {
        root.dataset.theme = isDark() ? "light" : "dark";
        store(root.dataset.theme);
        this.show();
      });
      const sign = document.createElement("span");
      sign.setAttribute("aria-hidden", "true");
      this.button.append(sign);
      this.show();
      this.append(this.button);
    }

    show() {
      this.button.firstChild.textContent = isDark() ? "☀" : "☾";
      const label = isDark() ? "Switch to light colours" : "Switch to dark colours";
      this.button.setAttribute("aria-label", label);
      this.button.title = label;
    }
  }
  customElements.define("theme-toggle", ThemeToggle);
})();
