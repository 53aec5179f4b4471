// <copy-button>: copies the `pre` beside it, or the element named by `data-from`. Code in
// rendered Markdown gets one of its own. Without scripts there is none, and people select.

class CopyButton extends HTMLElement {
  connectedCallback() {
    if (this.firstChild || !navigator.clipboard) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button--small";
    button.textContent = "Copy";
    button.addEventListener("click", () => this.copy(button));
    this.append(button);
  }

  async copy(button) {
    const from = this.dataset.from
      ? document.getElementById(this.dataset.from)
      : this.parentElement.querySelector("pre");
    if (!from) return;
    const text = "value" in from ? from.value : from.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      const announcer = document.getElementById("announcer");
      if (announcer) announcer.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
}
customElements.define("copy-button", CopyButton);

const equip = (root) => {
  for (const pre of root.querySelectorAll(".prose pre")) {
    if (pre.parentElement.classList.contains("copyable")) continue;
    const box = document.createElement("div");
    box.className = "copyable";
    pre.replaceWith(box);
    pre.tabIndex = 0;
    box.append(pre, document.createElement("copy-button"));
  }
};
equip(document);
// Once an answer is complete; while it is being written its blocks are replaced.
document.addEventListener("chat-done", (event) => equip(event.target));
