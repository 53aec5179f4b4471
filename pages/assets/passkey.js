// <passkey-form>: asks the device for a key, or to sign with one, and sends its form with what the
// device says. Without scripts it stays hidden, and the page says what else there is.

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

class PasskeyForm extends HTMLElement {
  connectedCallback() {
    const form = this.querySelector("form");
    if (!form || !window.PublicKeyCredential) return;
    this.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(form);
    });
  }

  async send(form) {
    const told = this.querySelector("[data-told]");
    told.textContent = "";
    try {
      const said = this.dataset.user ? await this.made() : await this.signed();
      for (const [name, value] of Object.entries(said)) form.elements[name].value = value;
      form.submit();
    } catch (error) {
      told.textContent =
        error.name === "InvalidStateError"
          ? "This device has a passkey for this site already."
          : "Nothing was done: your device or browser did not go on. Try again.";
    }
  }

  // A new key.
  async made() {
    const { challenge, site, user, account, known } = this.dataset;
    const ids = known.split(" ").filter(Boolean);
    const { response } = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { id: site, name: site },
        user: { id: bytes(user), name: account, displayName: account },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: ids.map((id) => ({ type: "public-key", id: bytes(id) })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        attestation: "none",
      },
    });
    return {
      client_data: text(response.clientDataJSON),
      device_data: text(response.getAuthenticatorData()),
      public_key: text(response.getPublicKey()),
      algorithm: response.getPublicKeyAlgorithm(),
    };
  }

  // A signature by a key there is.
  async signed() {
    const { challenge, site } = this.dataset;
    const { rawId, response } = await navigator.credentials.get({
      publicKey: { challenge: bytes(challenge), rpId: site, userVerification: "required" },
    });
    return {
      id: text(rawId),
      client_data: text(response.clientDataJSON),
      device_data: text(response.authenticatorData),
      signature: text(response.signature),
    };
  }
}
customElements.define("passkey-form", PasskeyForm);
