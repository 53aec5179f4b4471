// Forms with `data-fragment="ID"` are sent without leaving the page: the answer is a whole page
// as ever, and only the element of that id (and the flash) is taken out of it. Where anything is
// not as expected the browser goes where the form would have gone.

const announce = (text) => {
  const announcer = document.getElementById("announcer");
  if (announcer && text) announcer.textContent = text;
};

// Which control has the focus, in a way that finds its successor in the new fragment.
const place = (root) => {
  const active = document.activeElement;
  if (!active || !root.contains(active)) return null;
  const name = active.getAttribute("name");
  return {
    id: active.id,
    selector: name && `${active.localName}[name="${CSS.escape(name)}"]`,
    value: active.getAttribute("value"),
    start: typeof active.selectionStart === "number" ? active.selectionStart : null,
  };
};

const successor = (root, was) => {
  const wrong = root.querySelector("[aria-invalid=true]") ?? root.querySelector("[autofocus]");
  if (wrong) return wrong;
  if (was?.id && root.querySelector(`#${CSS.escape(was.id)}`)) {
    return root.querySelector(`#${CSS.escape(was.id)}`);
  }
  const same = was?.selector ? [...root.querySelectorAll(was.selector)] : [];
  return same.find((control) => control.getAttribute("value") === was.value) ?? same[0];
};

const focus = (root, was) => {
  const target = successor(root, was);
  if (!target) {
    // Focus stays where the reader was, on the fragment as a whole.
    if (!root.hasAttribute("tabindex")) root.tabIndex = -1;
    root.focus({ preventScroll: true });
    return;
  }
  target.focus();
  if (was?.start !== null && was?.id === target.id && target.setSelectionRange) {
    try {
      target.setSelectionRange(was.start, was.start);
    } catch {
      // Some types of input have no selection.
    }
  }
};

const request = (form, submitter) => {
  const data = new FormData(form, submitter);
  const method = (submitter?.getAttribute("formmethod") ?? form.method).toUpperCase();
  const url = new URL(submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? "", location.href);
  const headers = { Accept: "text/html", "X-Fragment": form.dataset.fragment };
  if (method === "GET") {
    url.search = new URLSearchParams(data).toString();
    return [url, { headers, credentials: "same-origin" }];
  }
  const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  return [url, { method, headers, body, credentials: "same-origin" }];
};

const swap = (form, page) => {
  const id = form.dataset.fragment;
  const old = document.getElementById(id);
  const fresh = page.getElementById(id);
  if (!old || !fresh) return false;
  const was = place(old);
  const flash = document.getElementById("flash");
  const freshFlash = page.getElementById("flash");
  const node = document.importNode(fresh, true);
  old.replaceWith(node);
  if (flash && freshFlash && !node.contains(flash)) {
    document.getElementById("flash")?.replaceWith(document.importNode(freshFlash, true));
  }
  focus(node, was);
  const said = node.querySelector("[data-announce]") ?? (freshFlash?.textContent.trim() ? freshFlash : null);
  announce(said ? said.textContent.trim().replace(/\s+/g, " ") : "Updated");
  node.dispatchEvent(new CustomEvent("fragment", { bubbles: true }));
  return true;
};

const unreachable = (form) => {
  let error = form.querySelector("[data-fragment-error]");
  if (!error) {
    error = document.createElement("p");
    error.className = "field__error";
    error.dataset.fragmentError = "";
    error.setAttribute("role", "alert");
    form.append(error);
  }
  error.textContent = "The server could not be reached. Nothing was lost; please try again.";
};

// What a new page says came of the last thing that was done: a region that was there from the
// start is not read out by itself.
announce(document.getElementById("flash")?.textContent.trim());

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.dataset.fragment) return;
  event.preventDefault();
  // A second click does not send twice.
  if (form.getAttribute("aria-busy") === "true") return;
  const [url, options] = request(form, event.submitter);
  form.setAttribute("aria-busy", "true");
  form.querySelector("[data-fragment-error]")?.remove();
  try {
    const response = await fetch(url, options);
    const type = response.headers.get("Content-Type") ?? "";
    const page = type.startsWith("text/html")
      ? new DOMParser().parseFromString(await response.text(), "text/html")
      : null;
    // It was sent: never send it again, go and look.
    if (!page || !swap(form, page)) location.assign(response.url);
  } catch {
    unreachable(form);
  } finally {
    form.removeAttribute("aria-busy");
  }
});
