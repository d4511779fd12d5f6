// Passkeys: the browser's half of registering (data-passkey="register"), of signing in
// (data-passkey="sign-in") and of signing decisions (data-sign). Without this script all of it still
// works with one-time codes.

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

async function assertion(publicKey) {
  publicKey.challenge = bytes(publicKey.challenge);
  for (const known of publicKey.allowCredentials ?? []) known.id = bytes(known.id);
  const used = await navigator.credentials.get({ publicKey });
  return {
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
}

async function signIn(form) {
  const csrf = form.elements.csrf.value;
  const { publicKey } = await post("/second-factor/passkey/start", { csrf });
  const credential = await assertion(publicKey);
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

// Asks for the challenge that is the hash of what the form says, and sends the form with the answer.
async function sign(form) {
  const body = new URLSearchParams(new FormData(form));
  for (const name of ["password", "code", "assertion"]) body.delete(name);
  body.set("step", "prepare");
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body });
  const kind = answer.headers.get("content-type") ?? "";
  if (!kind.startsWith("application/json")) {
    // A refusal as every page has it; one that led elsewhere (signed out) is followed there.
    if (answer.redirected) return location.assign(answer.url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    throw new Error(page.querySelector("main")?.innerText ?? String(answer.status));
  }
  const { publicKey, error } = await answer.json();
  if (error) throw new Error(error);
  form.elements.assertion.value = JSON.stringify(await assertion(publicKey));
  form.submit();
}

for (const part of document.querySelectorAll("[data-sign]")) {
  const form = part.closest("form");
  const button = part.querySelector("[data-with-passkey]");
  const error = part.querySelector("[role=alert]");
  button.hidden = !window.PublicKeyCredential;
  button.addEventListener("click", async () => {
    error.textContent = "";
    const own = ["password", "code"];
    const wrong = [...form.elements].find((e) => !own.includes(e.name) && !e.checkValidity());
    if (wrong) return wrong.reportValidity();
    try {
      await sign(form);
    } catch (reason) {
      error.textContent = reason instanceof DOMException ? part.dataset.cancelled : reason.message;
    }
  });
}
