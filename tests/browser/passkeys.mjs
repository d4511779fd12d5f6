// Accounts, recovery codes, sessions and passkeys in a real browser; the passkeys by Chromium's
// virtual authenticator (WebAuthn domain of the DevTools protocol).

import { check, enrol, password, say, setUp, submit, test, until } from "./ume.mjs";

const OFFICER = "umeko";
const WORD = "plum blossoms in march";
const NEW_WORD = "bamboo shoots after rain";

await test(220, async (ume, browser) => {
  const options = { locale: "en-GB" };
  const context = await browser.newContext(options);
  const noise = [];
  context.on("console", (m) => m.type() === "error" && noise.push(m.text()));
  const page = await context.newPage();
  const { codes } = await setUp(ume, page, OFFICER, WORD);
  const path = () => new URL(page.url()).pathname;
  check("ten recovery codes are shown", codes.length === 10 && new Set(codes).size === 10, codes.join());
  check("the first hour can be put off", path() === "/", page.url());

  // A passkey is registered and used instead of the one-time code.
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true,
      hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  const held = async () => (await devtools.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  await page.goto(`${ume.base}/people/me`);
  const register = page.locator("form[data-passkey=register]");
  await register.locator("[name=name]").fill("test key");
  await Promise.all([page.waitForNavigation(), register.locator("button").click()]);
  check("the passkey is listed", (await say(page)).includes("test key"), await say(page));
  check("the authenticator holds it", (await held()).length === 1);
  check("the page's policy allows our script and no other", (await page.reload()).headers()["content-security-policy"].includes("script-src 'self';"));

  // An approval is signed by the passkey, and verified from outside.
  const added = await ume.run("asset", "add", "--kind", "document", "--name", "Policy one", "--format", "json");
  const document = JSON.parse(added.out).id;
  await page.goto(`${ume.base}/row/asset/${document}`);
  await page.locator("details:has(form[action$='/decide']) > summary").first().click();
  const decide = page.locator("form[action$='/decide']");
  const before = (await held())[0].signCount;
  await decide.locator("[data-with-passkey]").click();
  check("without a reason nothing is asked", (await held())[0].signCount === before);
  await decide.locator("[name=reason]").fill("looked at");
  await Promise.all([page.waitForNavigation(), decide.locator("[data-with-passkey]").click()]);
  check("the approval is signed by passkey", (await say(page)).includes("passkey (strong signature)"), await say(page));
  const decision = (await page.locator("a[href^='/row/decision/']").first().getAttribute("href")).split("/").pop();
  const verified = await ume.run("decision", "verify", decision);
  check("ume decision verify agrees", verified.code === 0 && verified.out.includes("1 signatures: 0 flaws"), verified.out);
  await page.goto(`${ume.base}/row/decision/${decision}`);
  check("its page lists the signature", (await say(page)).includes("Signatures 1/1"), await say(page));
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  const second = await ume.run("asset", "add", "--kind", "document", "--name", "Policy two", "--format", "json");
  await page.goto(`${ume.base}/row/asset/${JSON.parse(second.out).id}`);
  await page.locator("details:has(form[action$='/decide']) > summary").first().click();
  await decide.locator("[name=reason]").fill("looked at");
  await decide.locator("[data-with-passkey]").click();
  await until("the refusal", 20, async () => (await decide.locator("[role=alert]").innerText()) !== "");
  check("without user verification nothing is signed", !(await say(page)).includes("strong signature)"));
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

  await submit(page, page.locator(".who form"));
  check("signed out", path() === "/login", page.url());
  await password(page, ume.base, OFFICER, WORD);
  const use = page.locator("form[data-passkey=sign-in]");
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await use.locator("button").click();
  await until("the refusal", 20, async () => (await use.locator("[role=alert]").innerText()) !== "");
  await page.goto(`${ume.base}/`);
  check("without user verification nobody comes in", path() === "/second-factor", page.url());
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  await Promise.all([page.waitForURL(`${ume.base}/`), use.locator("button").click()]);
  check("the passkey signs in", path() === "/", page.url());
  await page.goto(`${ume.base}/people/me`);
  check("the session says so", (await say(page)).includes("password+passkey"), await say(page));
  check("its counter moved", (await held())[0].signCount > 0);

  // A forged answer, and the ceremony of another session, come to nothing.
  await submit(page, page.locator(".who form"));
  await password(page, ume.base, OFFICER, WORD);
  const forged = await page.evaluate(async () => {
    const csrf = document.querySelector("[name=csrf]").value;
    const headers = { "content-type": "application/json" };
    const send = (url, body) => fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    await send("/second-factor/passkey/start", { csrf });
    const part = "AAAA";
    const response = { authenticatorData: part, clientDataJSON: part, signature: part, userHandle: null };
    const credential = { id: part, rawId: part, type: "public-key", response };
    const first = await send("/second-factor/passkey/finish", { csrf, back: "/", credential });
    const again = await send("/second-factor/passkey/finish", { csrf, back: "/", credential });
    return [first.status, again.status];
  });
  check("a forged answer is refused", forged.join() === "400,400", forged.join());

  // A recovery code counts once.
  await page.fill("[name=code]", codes[0]);
  await submit(page, page.locator("main form").first());
  check("a recovery code signs in", path() === "/", page.url());
  const other = await browser.newContext(options);
  const tab = await other.newPage();
  await password(tab, ume.base, OFFICER, WORD);
  await tab.fill("[name=code]", codes[0]);
  await submit(tab, tab.locator("main form").first());
  check("the same code a second time does not", tab.url().includes("/second-factor"), tab.url());
  await tab.fill("[name=code]", codes[1]);
  await submit(tab, tab.locator("main form").first());
  check("another one does", new URL(tab.url()).pathname === "/", tab.url());

  // A session is revoked.
  await page.goto(`${ume.base}/people/me`);
  check("eight codes are left", /Recovery codes left 8/.test(await say(page)), await say(page));
  await submit(page, page.locator("form[action='/people/me/sessions']").first());
  await tab.goto(`${ume.base}/ledger`);
  check("a revoked session opens nothing", new URL(tab.url()).pathname === "/login", tab.url());

  // Accounts: first password, forced change, role, disable.
  await page.goto(`${ume.base}/people`);
  await page.fill("[name=login]", "takeo");
  await page.selectOption("[name=role]", "administrator");
  await submit(page, page.locator("main form"));
  const first = (await page.locator(".otp code").innerText()).trim();
  await page.click("main .button");
  await page.waitForURL("**/people/*");
  const person = page.url();
  await password(tab, ume.base, "takeo", first);
  const theirs = await enrol(tab);
  await tab.click(".continue");
  await tab.waitForURL("**/people/me/password");
  check("a first password must be changed", tab.url().endsWith("/people/me/password"));
  await tab.fill("[name=password]", first);
  await tab.fill("[name=new]", "Password123456");
  await tab.fill("[name=again]", "Password123456");
  await tab.fill("[name=code]", theirs.codes[0]);
  await submit(tab, tab.locator("main form"));
  check("a common password is refused", (await tab.locator(".error").count()) === 1);
  await tab.fill("[name=password]", first);
  await tab.fill("[name=new]", NEW_WORD);
  await tab.fill("[name=again]", NEW_WORD);
  await tab.fill("[name=code]", theirs.codes[0]);
  await submit(tab, tab.locator("main form"));
  check("their own password opens the house", ["/", "/welcome"].includes(new URL(tab.url()).pathname), tab.url());

  await tab.goto(person);
  check("nobody is offered to change their own rights", (await tab.locator("form[action$='/change']").count()) === 0);
  const csrf = await tab.locator("[name=csrf]").first().inputValue();
  const act = async (url, form) =>
    (await other.request.post(`${url}/change`, { headers: { origin: ume.base }, form: { csrf, ...form }, maxRedirects: 0 })).status();
  check("an administrator cannot become officer", (await act(person, { change: "role", role: "officer" })) === 400);
  await tab.goto(`${ume.base}/people`);
  const officer = ume.base + (await tab.locator("main a", { hasText: OFFICER }).getAttribute("href"));
  check("an administrator cannot disable an officer", (await act(officer, { change: "disable" })) === 400);
  check("nor take over an officer's account", (await act(officer, { change: "reset-password" })) === 400);

  await page.goto(person);
  await submit(page, page.locator("form:has([value=disable])"));
  await tab.goto(`${ume.base}/people`);
  check("a disabled account is out at once", new URL(tab.url()).pathname === "/login", tab.url());
  await password(tab, ume.base, "takeo", NEW_WORD);
  check("and does not come in again", new URL(tab.url()).pathname === "/login");

  // At an address of digits the browser has no passkeys for us, and says so.
  const digits = await browser.newContext(options);
  const at = await digits.newPage();
  await password(at, ume.base.replace("localhost", "127.0.0.1"), OFFICER, WORD);
  const refused = await at.evaluate(async () => {
    const csrf = document.querySelector("[name=csrf]").value;
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ csrf });
    const answer = await fetch("/second-factor/passkey/start", { method: "POST", headers, body });
    return [answer.status, (await answer.json()).error];
  });
  check("passkeys need a name", refused[0] === 400 && refused[1].includes("localhost"), refused.join());

  // Events and records tell the story, without the names typed by strangers.
  await password(at, ume.base, "my secret typed into the wrong field", "x".repeat(12));
  const events = await until("the events", 40, async () => {
    await page.goto(`${ume.base}/events?q=app:ume`);
    const text = await say(page);
    return text.includes("signed in") && text.includes("refused") && text.includes("signed out") && text;
  });
  check("sign-ins are events", events !== undefined);
  check("what a stranger typed is nowhere", !events.includes("wrong field"));
  const types = async (type) => {
    await page.goto(`${ume.base}/records?type=${type}`);
    return page.locator("main tbody tr").count();
  };
  check("account changes are records", (await types("isms.account_changed")) >= 8);
  check("sign-ins are records", (await types("isms.signed_in")) >= 5);
  check("no console error but the refused requests", noise.every((n) => /40[03]/.test(n)), noise.join("; "));

  // The command line, with the server down.
  const busy = await ume.run("user", "list");
  check("accounts are listed while the server runs", busy.code === 0 && busy.out.includes(OFFICER), busy.out);
  const held2 = await ume.run("user", "disable", "takeo");
  check("changes go through the server that holds the folder", held2.code === 0 && held2.out.includes("takeo disabled"), held2.out);
  await ume.stop();
  const steps = [
    [["user", "add", "hana", "--role", "auditor"], 0, "first password"],
    [["user", "add", "hana"], 2, "exists already"],
    [["user", "add", "x", "--role", "root"], 2, "names no role"],
    [["user", "role", "hana", "executive"], 0, ""],
    [["user", "disable", OFFICER], 2, "last enabled officer"],
    [["user", "role", OFFICER, "auditor"], 2, "last enabled officer"],
    [["user", "disable", "hana"], 0, ""],
    [["user", "enable", "hana"], 0, ""],
    [["user", "reset-password", "hana", "--second-factor"], 0, "first password"],
    [["user", "recovery", OFFICER], 0, "-"],
    [["user", "disable", "nobody"], 2, "no account"],
    [["ledger", "verify"], 0, "0 mismatches"],
  ];
  for (const [args, code, text] of steps) {
    const done = await ume.run(...args);
    check(`ume ${args.join(" ")}`, done.code === code && done.out.includes(text), `${done.code} ${done.out}`);
  }
});
