// Every page of Ume in a real browser: both languages, wide and narrow, light and dark, with and
// without JavaScript. One line per check; the last line counts them.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.argv[2];
const SHOTS = process.env.UME_SHOTS; // a folder: keep a picture of every page there
const SECONDS_MAX = 900;
const COMPANY = "梅園商事株式会社";
const SITES = ["本社", "大阪支社"];
const LOGIN = "umeko";
const PASSWORD = "plum blossoms in march";
const ROOMS = [
  "threat_intelligence", "cloud_services", "ict_readiness", "physical_monitoring",
  "configuration", "information_deletion", "data_masking", "leakage_prevention",
  "monitoring", "web_filtering", "secure_coding",
];
const TABLES = ["asset", "party", "rule", "norm", "plan", "decision"];
const ROW = "検査用の入手先 梅園";
const ROW_EDITED = "検査用の入手先 梅園 第二";
const REASON = "名称を直した";
const STATEMENT = "ブラウザの検査で入力した内容";
// Rows of IPA's ten threats bear the names that IPA gives them.
const THREATS = readFileSync(new URL("../../content/threats/ipa10/2026/org.toml", import.meta.url), "utf8");
const THREAT_NAMES = [...THREATS.matchAll(/^title_ja = "(.+)"$/gm)].map((found) => found[1]);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let passed = 0;
let failed = 0;
function check(name, good, detail = "") {
  good ? passed++ : failed++;
  console.log(`${good ? "ok  " : "FAIL"} ${name}${good || detail === "" ? "" : `: ${detail}`}`);
  return good;
}

const data = mkdtempSync(join(tmpdir(), "ume-browser-"));
const server = spawn(BINARY, ["serve", "--data", data, "--listen", "127.0.0.1:0"], {
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, UME_LOG: "warn,sqlx=error" },
});
let said = "";
let complaints = "";
server.stdout.on("data", (chunk) => (said += chunk));
server.stderr.on("data", (chunk) => (complaints += chunk));
let browser;

function finish() {
  server.kill("SIGKILL");
  rmSync(data, { recursive: true, force: true });
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
setTimeout(() => {
  check("bounded time", false, `${SECONDS_MAX} seconds are over`);
  finish();
}, SECONDS_MAX * 1000);
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    check("bounded time", false, signal);
    finish();
  });
}

async function until(what, seconds, probe) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((r) => setTimeout(r, 300));
  }
}

function base32(text) {
  const bits = [...text.replace(/[\s=]/g, "").toUpperCase()]
    .map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

let secret = "";
let usedStep = 0;
/** The next code of RFC 6238 that was not used yet; the server allows one step ahead. */
async function code() {
  const now = () => Math.floor(Date.now() / 30_000);
  const step = Math.max(now(), usedStep + 1);
  await until("the next one-time code", 65, () => step <= now() + 1);
  usedStep = step;
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", base32(secret)).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A browser context that notes every console error and every failed page script. */
async function context(lang, width, options = {}) {
  const made = await browser.newContext({
    viewport: { width, height: 900 },
    locale: lang === "ja" ? "ja-JP" : "en-GB",
    colorScheme: "light",
    ...options,
  });
  await made.addCookies([{ name: "ume_lang", value: lang, url: base }]);
  made.noise = [];
  made.on("console", (m) => m.type() === "error" && made.noise.push(m.text()));
  made.on("weberror", (e) => made.noise.push(String(e.error())));
  return made;
}

const say = async (page) => (await page.locator("main").innerText()).replace(/\s+/g, " ");
const submit = (page, form) =>
  Promise.all([page.waitForNavigation(), form.locator("button").last().click()]).then(([r]) => r);

/** What holds for each page whatever it shows. */
async function judge(page, label, lang, { status = 200, scripts = true, axe = true } = {}) {
  const noise = page.context().noise;
  const response = page.answer;
  const faults = [];
  if (response && response.status() !== status) faults.push(`status ${response.status()}`);
  const width = page.viewportSize().width;
  if (scripts) {
    const seen = await page.evaluate(() => {
      const copy = document.body.cloneNode(true);
      copy.querySelectorAll('[lang="ja"]').forEach((e) => e.remove());
      const spoken = [...copy.querySelectorAll("[aria-label],[title],[placeholder]")].flatMap((e) =>
        ["aria-label", "title", "placeholder"].map((a) => e.getAttribute(a) ?? ""),
      );
      return {
        lang: document.documentElement.lang,
        title: document.title,
        wide: document.documentElement.scrollWidth,
        inner: innerWidth,
        headings: document.querySelectorAll("h1").length,
        text: `${copy.textContent} ${spoken.join(" ")} ${document.title}`,
      };
    });
    if (seen.lang !== lang) faults.push(`lang ${seen.lang}`);
    if (!seen.title.trim() || /^[–\s]/.test(seen.title)) faults.push(`title "${seen.title}"`);
    if (seen.headings !== 1) faults.push(`${seen.headings} h1`);
    if (seen.wide > seen.inner) faults.push(`${seen.wide} px wide in ${seen.inner}`);
    if (lang === "en") {
      let text = seen.text;
      const owned = [ROW_EDITED, ROW, STATEMENT, REASON, COMPANY, ...SITES, ...THREAT_NAMES, "梅園"];
      for (const own of owned) text = text.replaceAll(own, "");
      const foreign = text.match(/.{0,25}[\u3040-\u30ff\u3400-\u9fff]+.{0,10}/g) ?? [];
      const left = foreign.filter((t) => /[\u3040-\u30ff\u3400-\u9fff]/.test(t.replace(/[梅竹松未達]/g, "")));
      if (left.length) faults.push(`Japanese in English: ${left.slice(0, 3).join(" | ")}`);
    }
    if (noise.length) faults.push(`console: ${noise.splice(0).slice(0, 2).join(" | ")}`);
    // Evaluated through the debugger, which the page's own policy does not restrict.
    if (axe) await page.evaluate(AXE);
    const found = axe
      ? await page.evaluate(() =>
          globalThis.axe.run(document, { resultTypes: ["violations"], preload: false }),
        )
      : { violations: [] };
    noise.length = 0;
    for (const v of found.violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
      faults.push(`axe ${v.id} ×${v.nodes.length}: ${v.nodes[0].html.slice(0, 120)} ${v.nodes[0].any[0]?.message ?? ""}`);
    }
  } else if ((await page.locator("h1").count()) !== 1) {
    faults.push("not one h1");
  }
  if (SHOTS) {
    mkdirSync(SHOTS, { recursive: true });
    const file = label.replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 90);
    await page.screenshot({ path: join(SHOTS, `${file}.png`), fullPage: true });
  }
  check(label, faults.length === 0, faults.join("; "));
}

async function open(page, path) {
  page.answer = await page.goto(base + path, { waitUntil: "load" });
  return page.answer;
}

async function signIn(page, password) {
  await open(page, "/login");
  await page.fill("[name=login]", LOGIN);
  await page.fill("[name=password]", password);
  return submit(page, page.locator("main form"));
}

let base = "http://localhost";
try {
  const link = await until("the set-up link", 30, () => said.match(/http:\S+\/setup\?token=\S+/)?.[0]);
  base = said.match(/Ume 梅\s+(http:\/\/localhost:\d+)/)[1];
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  const setup = link.slice(base.length);

  // First set-up, second factor, home.
  const first = await context("ja", 1440);
  const page = await first.newPage();
  await open(page, "/");
  check("before set-up / leads to sign-in", new URL(page.url()).pathname === "/login", page.url());
  await judge(page, "ja 1440 /login before set-up", "ja");
  await open(page, setup);
  await judge(page, "ja 1440 /setup", "ja");
  await page.fill("[name=login]", LOGIN);
  await page.fill("[name=password]", PASSWORD);
  await page.fill("[name=again]", `${PASSWORD}x`);
  await submit(page, page.locator("main form"));
  check("set-up refuses two different passwords", (await page.locator(".error").count()) === 1);
  await page.fill("[name=password]", PASSWORD);
  await page.fill("[name=again]", PASSWORD);
  page.answer = await submit(page, page.locator("main form"));
  check("set-up leads to the second factor", page.url().includes("/second-factor"), page.url());
  await judge(page, "ja 1440 /second-factor enrolment", "ja");
  await open(page, "/");
  check("no page before the second factor", page.url().includes("/second-factor"), page.url());
  secret = (await page.locator(".otp code").innerText()).trim();
  await page.fill("[name=code]", "000000");
  await submit(page, page.locator("main form"));
  check("a wrong code is refused", (await page.locator(".error").count()) === 1);
  const shown = page.locator(".otp code");
  if (await shown.count()) secret = (await shown.innerText()).trim();
  await page.fill("[name=code]", await code());
  await submit(page, page.locator("main form"));
  check("enrolment shows ten recovery codes", (await page.locator(".otp li").count()) === 10);
  await judge(page, "ja 1440 recovery codes", "ja");

  // The first hour: organisation, targets, home.
  await Promise.all([page.waitForURL("**/welcome"), page.click(".continue")]);
  page.answer = undefined;
  await judge(page, "ja 1440 /welcome", "ja");
  await page.fill("[name=name]", COMPANY);
  await page.selectOption("[name=sector]", "information");
  await page.fill("[name=people]", "120");
  await page.fill("[name=sites]", SITES.join("\n"));
  await page.check("[name=era]");
  await submit(page, page.locator("form[action='/welcome']"));
  check("the organisation leads to the targets", new URL(page.url()).pathname === "/welcome/targets", page.url());
  await judge(page, "ja 1440 /welcome/targets", "ja");
  await submit(page, page.locator("form[action='/welcome/targets']"));
  check("the first hour leads home", new URL(page.url()).pathname === "/", page.url());
  check("dates follow the organisation", /令和\d+年/.test(await say(page)), await say(page));
  await open(page, "/register/decision/target");
  check("one click decided eleven targets", (await page.locator("main tbody tr").count()) === 11);
  check("the used set-up link is dead", (await open(page, setup)).status() === 404);
  first.noise.length = 0; // the browser's own note about the 404 above

  await open(page, "/");
  const cards = await page
    .locator(".cards a[href^='/rooms/']")
    .evaluateAll((all) => all.map((a) => a.getAttribute("href").slice("/rooms/".length)));
  check("the home page shows the eleven rooms", ROOMS.every((r) => cards.includes(r)) && cards.length === 11, cards.join());

  // A register from the empty form to the history.
  await open(page, "/register/asset/intel_source/new");
  await page.locator("main form").evaluate((form) => (form.noValidate = true));
  page.answer = await submit(page, page.locator("main form"));
  check("an empty form gets inline errors", (await page.locator(".error[role=alert]").count()) > 1);
  await judge(page, "ja 1440 form with errors", "ja");
  await page.fill("[name=name]", ROW);
  for (const input of await page.locator("main form select[name^=f_]").all()) {
    await input.selectOption({ index: 1 });
  }
  for (const input of await page.locator("main form label:has(.help) [name^=f_]:not(select):visible").all()) {
    const kind = await input.getAttribute("type");
    await input.fill(kind === "number" ? "1" : kind === "date" ? "2026-04-01" : "検査");
  }
  await submit(page, page.locator("main form"));
  const detail = new URL(page.url()).pathname;
  if (!check("a filled form makes the row", /^\/row\/asset\/[0-9a-f-]+$/.test(detail), await say(page))) {
    throw new Error("no row to go on with");
  }

  const stale = await first.newPage();
  await open(stale, `${detail}/edit`);
  await open(page, `${detail}/edit`);
  await page.fill("[name=name]", ROW_EDITED);
  await page.fill("[name=reason]", REASON);
  await submit(page, page.locator("main form"));
  check("an edit is kept", (await page.locator("h1").innerText()).includes(ROW_EDITED));
  check("the history has both versions", (await say(page)).includes(REASON) && (await page.locator("table").last().locator("tbody tr").count()) === 2);
  await stale.fill("[name=name]", "上書きしてはならない");
  check("a stale edit gets the conflict page", (await submit(stale, stale.locator("main form"))).status() === 409);
  check("the conflict page marks the field both changed", (await stale.locator("label.clash").count()) === 1 && (await stale.locator("label.clash").innerText()).includes(ROW_EDITED));
  // The browser notes the status 409 itself; that is what was to come.
  stale.context().noise.length = 0;
  await judge(stale, "ja 1440 conflict page", "ja");
  await open(page, detail);
  check("a stale edit overwrites nothing", (await page.locator("h1").innerText()).includes(ROW_EDITED));
  await stale.close();

  // The list: its state stands in the address; many rows change at once, after a preview.
  const list = "/register/asset/intel_source";
  await open(page, `${list}?sort=-name&where=@status:is:active`);
  check("a condition is shown as a chip", (await page.locator(".chips.on li").count()) === 2);
  check("the sorted column says so", (await page.locator("th[aria-sort=descending]").count()) === 1);
  await judge(page, "ja 1440 list with a condition", "ja");
  await open(page, `${list}?where=@status:is:retired`);
  check("a condition hides what does not meet it", (await page.locator("tbody tr").count()) === 0);
  const odd = await page.request.get(`${new URL(page.url()).origin}${list}?where=nonsense:is:1`);
  check("a column that is not there is refused by name", odd.status() === 400 && (await odd.text()).includes("nonsense"));
  await open(page, list);
  await page.locator("tbody input[name=id]").first().check();
  await page.locator("details:has(select[name=set]) summary").click();
  await page.locator("select[name=set]").selectOption({ index: 0 });
  await submit(page, page.locator("form[action$='/bulk']"));
  check("a bulk edit is previewed", new URL(page.url()).pathname.endsWith("/bulk") && (await page.locator("tbody tr").count()) === 1);
  await judge(page, "ja 1440 bulk preview", "ja");
  const file = await page.request.get(`${new URL(page.url()).origin}${list}/export?shown=1&bom=0`);
  check("the export is what is shown", (await file.text()).split("\r\n").length === 3);

  // A draft survives the page; the slash leads to the search.
  await open(page, `${detail}/edit`);
  await page.fill("[name=reason]", "下書き");
  await page.waitForTimeout(900);
  await open(page, `${detail}/edit`);
  await page.locator("[data-draft-restore]").click();
  check("a draft comes back", (await page.locator("[name=reason]").inputValue()) === "下書き");
  await open(page, "/records");
  await page.keyboard.press("/");
  check("the slash leads to the search", await page.locator("#q").evaluate((q) => q === document.activeElement));

  // Four eyes, foreign origin.
  await open(page, detail);
  await page.locator("details:has(form[action$='/decide']) > summary").first().click();
  const decide = page.locator("form[action$='/decide']");
  await decide.locator("[name=reason]").fill("自分で承認");
  await decide.locator("[name=password]").fill(PASSWORD);
  await decide.locator("[name=code]").fill("123456");
  const own = await submit(page, decide);
  check("approving one's own change is refused", own.status() === 400 && (await say(page)).includes("自分"));
  await open(page, detail);
  const csrf = await page.locator("form [name=csrf]").first().inputValue();
  const version = await page.locator("form[action$='/delete'] [name=version]").inputValue();
  for (const origin of ["http://evil.example", "null"]) {
    const foreign = await first.request.post(`${base}${detail}/delete`, {
      headers: { origin },
      form: { csrf, version, reason: "foreign" },
      maxRedirects: 0,
    });
    check(`a POST from origin ${origin} is refused`, foreign.status() === 403, foreign.status());
  }
  const token = await first.request.post(`${base}${detail}/delete`, {
    headers: { origin: base },
    form: { csrf: "x", version, reason: "foreign" },
    maxRedirects: 0,
  });
  check("a POST with a wrong token is refused", token.status() === 403, token.status());
  await open(page, detail);
  check("a refused POST changes nothing", (await page.locator("form[action$='/delete']").count()) === 1 && (await page.locator("h1").innerText()).includes(ROW_EDITED));

  await open(page, `/search?q=${encodeURIComponent("梅園")}`);
  check("a word of two characters is found", (await page.locator(`main a[href='${detail}']`).count()) === 1);
  const csv = await first.request.get(`${base}/register/asset/intel_source/export`);
  check("the export holds the row", csv.status() === 200 && (await csv.text()).includes(ROW_EDITED));

  // Evidence handed in, target.
  const room = "/rooms/threat_intelligence";
  await open(page, room);
  const lines = page.locator("tr:has(form[action='/hand-in'])");
  const criterion = await lines.filter({ has: page.locator("td > .status:not(.pass)") }).first()
    .locator("[name=criterion]").getAttribute("value");
  const line = page.locator(`tr:has([name=criterion][value='${criterion}'])`);
  const verdict = () => line.locator("td > .status").first().getAttribute("class");
  const before = await verdict();
  await line.locator("details:has(form) summary").click();
  await line.locator("[name=held_on]").fill(new Date(Date.now() - 86_400_000).toISOString().slice(0, 10));
  await line.locator("[name=statement]").fill(STATEMENT);
  await submit(page, line.locator("form[action='/hand-in']"));
  check("handing in leads back to the room", new URL(page.url()).pathname === room, page.url());
  const raised = await until("the verdict", 20, async () => {
    await open(page, room);
    return (await verdict()) === "status pass";
  }).catch(() => false);
  check(`evidence handed in raises the verdict of ${criterion}`, raised, `${before} stays ${await verdict()}`);
  await page.locator("form[action$='/target'] select").selectOption("take");
  await submit(page, page.locator("form[action$='/target']"));
  const aimed = await until("the target", 20, async () => {
    await open(page, room);
    return (await page.locator("form[action$='/target'] select").inputValue()) === "take";
  }).catch(() => false);
  check("a target is kept", aimed);

  // A record with its proof.
  await open(page, "/records?type=isms.attested");
  const record = await page.locator("main td a[href^='/records/']").first().getAttribute("href");
  const proved = await until("the proof", 15, async () => {
    await open(page, record);
    return (await page.locator(".answer.pass").count()) === 1;
  }).catch(() => false);
  check("a record gets its proof", proved);
  const proof = await first.request.get(`${base}${record}/proof`);
  check("the proof can be saved", proof.status() === 200 && (await proof.text()).includes("tlog-proof"));

  // A task that is overdue: it is closed by a record, and its reader is told.
  await open(page, "/register/task/task/new");
  await page.locator("[name=name]").fill("梅園 2026");
  await page.locator("[name=f_due]").fill("2026-01-05");
  await page.locator("[name=f_role]").selectOption("officer");
  await submit(page, page.locator("main form"));
  const task = new URL(page.url()).pathname.replace("/row/task/", "/tasks/") + "/close";
  const told = await until("the notice", 40, async () => {
    await open(page, "/notices");
    return (await page.locator(`a[href="${task}"]`).count()) === 1;
  }).catch(() => false);
  check("an overdue task is told of on the pages", told);

  // Verification says nothing amiss, in each variant below too.
  const state = await first.storageState();
  const paths = ["/", ...cards.map((r) => `/rooms/${r}`), ...TABLES.map((t) => `/register/${t}`)];
  paths.push(
    "/register/task/task", "/register/asset/intel_source", "/register/asset/intel_source/new",
    "/register/decision/target", detail, `${detail}/edit`, "/records", "/records?type=isms.attested",
    "/tasks", task, "/notices", "/settings/notices", "/rooms/isms",
    "/people", "/people/me", "/people/me/password", "/people/confirm", "/welcome", "/welcome/targets",
    record, "/help", "/approvals", "/ledger", "/work", "/agents", "/events", "/events?q=sshd", "/events?q=%22", "/findings", "/detections",
    "/monitoring/series", "/monitoring/nodes", "/monitoring/sources", "/monitoring/trends", "/monitoring/gap", "/monitoring/hunts",
    "/monitoring/review", "/monitoring/review/status", "/monitoring/review/discovery", "/monitoring/review/prevention",
    "/monitoring/measured", "/monitoring/report", `/search?q=${encodeURIComponent("梅園")}`, "/search",
  );
  // Narrow is dark and wide is light. Markup is the same in both languages, so axe, which takes
  // longest, runs in one language for each width and colour scheme.
  const variants = ["ja", "en"].flatMap((lang) => [[lang, 1440, "light"], [lang, 390, "dark"]]);
  const links = new Map();
  await Promise.all(variants.map(async ([lang, width, colorScheme]) => {
    const own = await context(lang, width, { colorScheme, storageState: state });
    await own.addCookies([{ name: "ume_lang", value: lang, url: base }]);
    const tab = await own.newPage();
    const name = `${lang} ${width}`;
    const axe = (lang === "en") === (width === 1440);
    for (const path of paths) {
      await open(tab, path);
      const label = path.replace(detail, "/row").replace(record, "/records/one").replace(task, "/tasks/one/close").replace(encodeURIComponent("梅園"), "word");
      await judge(tab, `${name} ${label}`, lang, { axe });
      for (const href of await tab.locator("a[href^='/']").evaluateAll((all) => all.map((a) => a.getAttribute("href")))) {
        links.set(href, path);
      }
    }
    await open(tab, "/ledger");
    tab.answer = await submit(tab, tab.locator("main form[action='/ledger']"));
    check(`${name} the ledger verifies with nothing amiss`, (await tab.locator(".answer.pass").count()) === 1, await say(tab));
    await judge(tab, `${name} /ledger verified`, lang, { axe });
    await open(tab, "/work");
    tab.answer = await submit(tab, tab.locator("main form", { has: tab.locator("[value='ledger.verify']") }));
    await until("the job's end", 20, async () => (await open(tab, "/work")) && (await say(tab)).includes('"leaves":'));
    check(`${name} a job that is run by hand ends well`, (await tab.locator("main .error").count()) === 0, await say(tab));
    check(`${name} an unknown page is 404`, (await open(tab, "/no/such/page")).status() === 404);
    own.noise.length = 0;
    await own.close();
  }));

  const dead = [];
  const rest = [...links.keys()].filter((href) => !href.startsWith("/language")).slice(0, 400);
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let href = rest.pop(); href; href = rest.pop()) {
      const answer = await first.request.get(base + href);
      if (answer.status() !== 200) dead.push(`${answer.status()} ${href} on ${links.get(href)}`);
    }
  }));
  check("every link leads somewhere", dead.length === 0, dead.slice(0, 5).join(", "));

  // Without JavaScript: sign in, read, write.
  const plain = await context("en", 1440, { javaScriptEnabled: false });
  const tab = await plain.newPage();
  await signIn(tab, "not the right password");
  check("a wrong password is refused", (await tab.locator(".error").count()) === 1 && tab.url().includes("/login"));
  await signIn(tab, PASSWORD);
  check("without JavaScript: the password leads to the second factor", tab.url().includes("/second-factor"), tab.url());
  await tab.fill("[name=code]", await code());
  await submit(tab, tab.locator("main form"));
  check("without JavaScript: signed in", new URL(tab.url()).pathname === "/", tab.url());
  for (const path of paths) {
    await open(tab, path);
    const label = path.replace(detail, "/row").replace(record, "/records/one").replace(encodeURIComponent("梅園"), "word");
    await judge(tab, `without JavaScript ${label}`, "en", { scripts: false });
  }
  await open(tab, `${detail}/edit`);
  await tab.fill("[name=reason]", "without JavaScript");
  await submit(tab, tab.locator("main form"));
  check("without JavaScript: an edit is kept", (await say(tab)).includes("without JavaScript"));
  await open(tab, "/language?to=ja&back=/ledger");
  check("the language can be changed", tab.url().endsWith("/ledger") && (await tab.locator("html").getAttribute("lang")) === "ja");
  await submit(tab, tab.locator(".who form"));
  check("sign-out leads to sign-in", new URL(tab.url()).pathname === "/login", tab.url());
  await open(tab, "/ledger");
  check("after sign-out no page opens", new URL(tab.url()).pathname === "/login", tab.url());
  await judge(tab, "without JavaScript /login", "ja", { scripts: false });
  check("the server complained of nothing", !/ERROR|panicked/.test(complaints), complaints.slice(0, 400));
} catch (error) {
  check("the run", false, error.stack);
}
await browser?.close().catch(() => {});
finish();
