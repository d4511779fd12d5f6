// Sign-in at a real OpenID Connect provider (npm oidc-provider) on this machine.

import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Provider from "oidc-provider";
import { check, say, setUp, submit, test } from "./ume.mjs";

const GROUPS = { hanako: ["staff", "isms-officers"], jiro: ["staff"], guest: ["visitors"] };

await test(150, async (ume, browser) => {
  // The provider knows where to send people back only once Ume has its port.
  const listener = createServer();
  await new Promise((r) => listener.listen(0, "127.0.0.1", r));
  const issuer = `http://localhost:${listener.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "ume", client_secret: "a secret of the test only",
      redirect_uris: [`${ume.base}/oidc/callback`], response_types: ["code"], grant_types: ["authorization_code"],
    }],
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
    cookies: { keys: ["test"] },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, preferred_username: sub, groups: GROUPS[sub] ?? [] }),
    }),
  });
  const seen = [];
  provider.on("authorization.success", (ctx) => seen.push(ctx.oidc.params));
  listener.on("request", provider.callback());

  const context = await browser.newContext({ locale: "en-GB" });
  const page = await context.newPage();
  await setUp(ume, page, "umeko", "plum blossoms in march");
  await ume.stop();
  const secret = join(ume.data, "oidc-secret");
  writeFileSync(secret, "a secret of the test only\n", { mode: 0o600 });
  const set = (...more) => ume.run(
    "oidc", "set", "--issuer", issuer, "--client-id", "ume", "--client-secret-file", secret,
    "--role", "isms-officers=officer", "--role", "staff=employee", "--name", "Test provider", ...more,
  );
  const far = await ume.run(
    "oidc", "set", "--issuer", "http://id.example.com", "--client-id", "ume", "--client-secret-file", secret, "--role", "a=officer",
  );
  check("an issuer without TLS is refused unless it is this machine", far.code === 2 && far.out.includes("TLS"), far.out);
  const done = await set();
  check("the provider is set", done.code === 0, done.out);
  const shown = await ume.run("oidc", "show");
  check("the settings hold no secret", shown.out.includes(issuer) && !shown.out.includes("a secret of the test"), shown.out);
  await ume.start();

  const signIn = async (login) => {
    const own = await browser.newContext({ locale: "en-GB" });
    const tab = await own.newPage();
    await tab.goto(`${ume.base}/login`);
    await Promise.all([tab.waitForURL(`${issuer}/**`), tab.click("a[href^='/oidc/start']")]);
    await tab.fill("[name=login]", login);
    await tab.fill("[name=password]", "any");
    await submit(tab, tab.locator("form"));
    if (tab.url().startsWith(issuer)) await submit(tab, tab.locator("form"));
    return tab;
  };
  const officer = await signIn("hanako");
  check("someone of the group comes in", ["/", "/welcome"].includes(new URL(officer.url()).pathname), `${officer.url()} ${await say(officer)}`);
  await officer.goto(`${ume.base}/people`);
  const text = await say(officer);
  check("with the role of the claim", /hanako ISMS officer all active/.test(text), text);
  check("code flow with PKCE, nonce and state", seen.length > 0 && seen.every((p) =>
    p.response_type === "code" && p.code_challenge_method === "S256" && p.code_challenge && p.nonce && p.state), JSON.stringify(seen));

  await signIn("jiro");
  await officer.goto(`${ume.base}/people`);
  check("another group gives another role", /jiro employee all active/.test(await say(officer)), await say(officer));
  const guest = await signIn("guest");
  await guest.goto(`${ume.base}/people/me`);
  check("no group, no entry", new URL(guest.url()).pathname === "/login", guest.url());
  await officer.goto(`${ume.base}/people`);
  check("and no account", !(await say(officer)).includes("guest"));

  // The claim decides anew each time.
  GROUPS.jiro = ["isms-officers"];
  await signIn("jiro");
  await officer.goto(`${ume.base}/people`);
  check("a changed group changes the role at the next sign-in", /jiro ISMS officer all active/.test(await say(officer)), await say(officer));

  // A provider that says a local account's name gets an account of its own.
  GROUPS.umeko = ["staff"];
  await signIn("umeko");
  await officer.goto(`${ume.base}/people`);
  const both = await say(officer);
  check("a local account is not taken over", /umeko ISMS officer/.test(both) && /umeko@localhost employee/.test(both), both);

  // Answers that nobody asked for.
  const bare = await browser.newContext();
  const forged = await bare.request.get(`${ume.base}/oidc/callback?code=x&state=y`, { maxRedirects: 0 });
  check("an answer without its cookie is refused", forged.status() === 403, forged.status());
  const begun = await bare.request.get(`${ume.base}/oidc/start`, { maxRedirects: 0 });
  const state = new URL(begun.headers().location).searchParams.get("state");
  const other = await browser.newContext();
  const stolen = await other.request.get(`${ume.base}/oidc/callback?code=x&state=${state}`, { maxRedirects: 0 });
  check("another browser cannot finish it", stolen.status() === 403, stolen.status());
  const denied = await bare.request.get(`${ume.base}/oidc/callback?error=access_denied&state=${state}`, { maxRedirects: 0 });
  check("a refusal of the provider leads to sign-in", denied.headers().location === "/login", denied.status());
  const twice = await bare.request.get(`${ume.base}/oidc/callback?error=access_denied&state=${state}`, { maxRedirects: 0 });
  check("a state counts once", twice.status() === 403, twice.status());

  await ume.stop();
  const off = await ume.run("oidc", "off");
  check("the provider can be taken out", off.code === 0, off.out);
  await ume.start();
  check("then nobody comes in by it", (await bare.request.get(`${ume.base}/oidc/start`)).status() === 404);
  await new Promise((r) => { listener.close(r); listener.closeAllConnections(); });
});
