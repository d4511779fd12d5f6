// Passkeys: the browser's half of registering (data-passkey="register") and of signing in
// (data-passkey="sign-in"). Without this script both pages still work with one-time codes.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const kind = response.headers.get("content-type") ?? "";
  const answer = kind.startsWith("application/json") ? await response.json() : {};
  if (answer.to && !response.ok) location.assign(answer.to);
  if (!response.ok) throw new Error(answer.error ?? String(response.status));
  return answer;
}

async function register(form) {
  const csrf = form.elements.csrf.value;
  const { publicKey } = await post("/people/me/passkeys/start", { csrf });
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.user.id = bytes(publicKey.user.id);
  for (const known of publicKey.excludeCredentials ?? []) known.id = bytes(known.id);
  const made = await navigator.credentials.create({ publicKey });
  const credential = {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
    },
  };
  const name = form.elements.name.value;
  return post("/people/me/passkeys/finish", { csrf, name, credential });
}

async function signIn(form) {
  const csrf = form.elements.csrf.value;
  const { publicKey } = await post("/second-factor/passkey/start", { csrf });
  publicKey.challenge = bytes(publicKey.challenge);
  for (const known of publicKey.allowCredentials ?? []) known.id = bytes(known.id);
  const used = await navigator.credentials.get({ publicKey });
  const credential = {
    id: used.id,
    rawId: text(used.rawId),
    type: used.type,
    response: {
      authenticatorData: text(used.response.authenticatorData),
      clientDataJSON: text(used.response.clientDataJSON),
      signature: text(used.response.signature),
      userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
    },
  };
  const back = form.elements.back.value;
  return post("/second-factor/passkey/finish", { csrf, back, credential });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const act = form.dataset.passkey === "register" ? register : signIn;
  const error = form.querySelector("[role=alert]");
  form.hidden = !window.PublicKeyCredential;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    try {
      location.assign((await act(form)).to);
    } catch (reason) {
      // The browser's own refusals (cancelled, no authenticator) come in its language or none.
      const own = reason instanceof DOMException ? form.dataset.cancelled : reason.message;
      error.textContent = own;
    }
  });
}
