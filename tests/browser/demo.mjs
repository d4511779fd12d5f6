// The demonstration in a real browser: a year of a fictional company, seen by the officer and by the
// auditor. One line per check; the last line counts them.

import { spawn, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.argv[2];
const READY = process.argv[3]; // a demonstration that is there already, to save the time of making one
const SHOTS = process.env.UME_SHOTS;
// Far above what an idle machine needs: this bounds a hang, it measures nothing.
const MAKE_SECONDS_MAX = 900;

let passed = 0;
let failed = 0;
function check(name, good, detail = "") {
  good ? passed++ : failed++;
  console.log(`${good ? "ok  " : "FAIL"} ${name}${good || detail === "" ? "" : `: ${detail}`}`);
  return good;
}

const folder = READY ? "" : mkdtempSync(join(tmpdir(), "ume-demo-"));
const data = READY ?? join(folder, "data");
const env = { ...process.env, UME_LOG: "warn,sqlx=error" };
const started = Date.now();
const said = execFileSync(BINARY, ["demo", "--data", data], { env, encoding: "utf8" });
const seconds = Math.round((Date.now() - started) / 1000);
if (!READY) check(`the year is made in ${MAKE_SECONDS_MAX} s`, seconds <= MAKE_SECONDS_MAX, `${seconds} s`);
const link = (role) => said.match(new RegExp(`^${role}\\s+http://[^/]+(\\S+)`, "m"))[1];

const server = spawn(BINARY, ["serve", "--data", data, "--listen", "127.0.0.1:0"], {
  stdio: ["ignore", "pipe", "pipe"],
  env,
});
let out = "";
let complaints = "";
server.stdout.on("data", (chunk) => (out += chunk));
server.stderr.on("data", (chunk) => (complaints += chunk));
let browser;
try {
  for (let i = 0; i < 200 && !/http:\S+/.test(out); i++) await new Promise((r) => setTimeout(r, 300));
  const base = out.match(/http:\S+/)[0];
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  async function person(role, lang, width) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: "light" });
    await context.addCookies([{ name: "ume_lang", value: lang, url: base }]);
    const page = await context.newPage();
    const answer = await page.goto(base + link(role));
    return { context, page, answer };
  }
  async function shot(page, name) {
    if (!SHOTS) return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  }
  const officer = await person("officer", "ja", 1280);
  check("the officer's link signs in", new URL(officer.page.url()).pathname === "/" && officer.answer.status() === 200);
  check("the banner says what this is", (await officer.page.locator(".demo").innerText()).includes("デモ（架空の会社）"));
  const again = await browser.newContext();
  const dead = await again.request.get(base + link("officer"));
  check("a link works once", dead.status() === 404);
  check("a refusal carries the banner", (await dead.text()).includes('class="demo"'));
  // The server answers before its first board is there, and says so.
  for (let i = 0; i < 120 && (await officer.page.locator(".card .level").count()) === 0; i++) {
    await officer.page.waitForTimeout(1000);
    await officer.page.reload();
  }
  const levels = await officer.page.locator(".card .level.ume").count();
  check("controls have reached 梅", levels > 0, levels);
  const changes = await officer.page.locator("details table").first().innerText().catch(() => "");
  await officer.page.locator(".strips + details summary").click();
  const table = await officer.page.locator(".strips + details table").innerText();
  check("levels rose", table.includes("未達→梅"), table || changes);
  check("levels decayed", table.includes("梅→未達"), table);
  await officer.page.locator(".strips + details summary").click();

  // A past day, chosen on the page: said plainly, kept by the links, nothing to change.
  await officer.page.goto(`${base}/gap`);
  const past = await officer.page.locator(".day input").evaluate((input) => {
    const day = new Date(input.max);
    day.setDate(day.getDate() - 150);
    return day.toISOString().slice(0, 10);
  });
  await officer.page.locator(".day input").fill(past);
  await officer.page.locator(".day button").click();
  const told = await officer.page.locator("main .past").innerText();
  check("a past day is said to be one", told.includes(`${past} 23:59`), told);
  await officer.page.locator("nav.parts a", { hasText: "適用宣言書" }).click();
  const asked = new URL(officer.page.url());
  check("links keep the day", asked.pathname === "/soa" && asked.searchParams.get("as_of") === past, asked.href);
  check("nothing can be changed there", (await officer.page.locator("main form[method=post]").count()) === 0);
  await officer.page.locator("main .past a").click();
  check("back to now", (await officer.page.locator("main .past").count()) === 0);

  const paths = ["/", "/rooms/monitoring", "/rooms/configuration", "/rooms/ict_readiness",
    "/register/asset", "/register/asset/host", "/register/risk", "/register/risk/risk", "/register/check/check",
    "/register/link/references", "/register/party/person", "/register/task/task",
    "/records", "/events", "/findings", "/detections", "/monitoring/series", "/monitoring/gap", "/monitoring/hunts",
    "/monitoring/review", "/monitoring/review/discovery", "/monitoring/measured", "/ledger", "/help",
    `/?as_of=${past}`, `/gap?as_of=${past}`, `/soa/8.16?as_of=${past}`, `/rooms/monitoring?as_of=${past}`, "/soa/5.1"];
  const record = async (page) => {
    await page.goto(`${base}/records?type=isms.attested`);
    return page.locator("main td a[href^='/records/']").first().getAttribute("href");
  };
  paths.push(await record(officer.page));
  const first = async (path) => {
    await officer.page.goto(base + path);
    return officer.page.locator("main tbody tr td a[href^='/row/']").first().getAttribute("href");
  };
  // One of the company's own: those taken from the samples are about no asset yet.
  const risk = await first(`/register/risk/risk?q=${encodeURIComponent("生産停止")}`);
  paths.push(risk, await first("/register/link/references"), await first("/register/decision/approval"));
  for (const [lang, width] of [["ja", 1280], ["en", 1280], ["ja", 390], ["en", 390]]) {
    await officer.context.addCookies([{ name: "ume_lang", value: lang, url: base }]);
    await officer.page.setViewportSize({ width, height: 900 });
    for (const path of paths) {
      const answer = await officer.page.goto(base + path);
      const wide = await officer.page.evaluate(() => document.documentElement.scrollWidth);
      const tall = await officer.page.evaluate(() => document.documentElement.scrollHeight);
      const label = path.replace(/[0-9a-f-]{36}/, "one");
      check(`${lang} ${width} ${label}`, answer.status() === 200 && wide <= width && tall < 25_000, `${answer.status()} ${wide}×${tall}`);
      await shot(officer.page, `${lang}_${width}_${label.replaceAll(/[/?=]/g, "_")}`);
    }
  }

  async function pages(path, row) {
    const seen = new Set();
    let rows = 0;
    let next = path;
    for (let page = 0; next && page < 8; page++) {
      await officer.page.goto(base + next);
      const texts = await officer.page.locator(row).allInnerTexts();
      rows += texts.length;
      texts.forEach((t) => seen.add(t));
      const link = officer.page.locator("main a", { hasText: /Next page|次のページ/ });
      next = (await link.count()) ? await link.getAttribute("href") : "";
    }
    return { rows, distinct: seen.size, seen };
  }
  const persons = await pages("/register/party/person", "main tbody tr td a[href^='/row/']");
  check("all persons are listed over the pages", persons.rows >= 120 && persons.distinct >= 115, JSON.stringify(persons));
  const hosts = await pages("/register/asset/host", "main tbody tr td a[href^='/row/']");
  check("at least 40 hosts are listed, each once", hosts.rows >= 40 && hosts.distinct === hosts.rows, JSON.stringify(hosts));
  check("this machine is not registered", !hosts.seen.has(hostname()), hostname());
  const risks = await pages("/register/risk/risk", "main tbody tr td a[href^='/row/']");
  check("at least 10 risks are listed", risks.distinct >= 10, risks.distinct);
  await officer.page.goto(base + risk);
  const far = officer.page.locator("main td a[href^='/row/asset/'], main td a[href^='/row/party/']");
  const nodes = await officer.page.locator("svg.graph .node").count();
  check("a risk stands in a picture among its links", nodes >= 2, nodes);
  check("a risk names what it is about", (await far.count()) > 0, await officer.page.locator("main").innerText());
  await officer.page.goto(base + (await first("/register/decision/approval")));
  const changes_it = await officer.page.locator("main a[href$='/edit'], main form[action$='/delete']").count();
  check("a signed decision offers no change", changes_it === 0, changes_it);
  const events = await pages("/events", "main table:first-of-type tbody tr");
  check("events are paged", events.rows > 100, JSON.stringify(events));

  const auditor = await person("auditor", "en", 1280);
  check("the auditor's link signs in", auditor.answer.status() === 200);
  for (const path of ["/rooms/monitoring", "/register/asset/host", "/register/task/task"]) {
    await auditor.page.goto(base + path);
    const writes = await auditor.page.locator("main form[method=post], main a[href$='/new'], main a[href$='/edit'], main a[href$='/import']").count();
    check(`the auditor sees nothing to write on ${path}`, writes === 0, writes);
  }
  await auditor.page.goto(`${base}/register/asset/host`);
  await auditor.page.locator("main tbody a").first().click();
  const writes = await auditor.page.locator("main form[method=post], main a[href$='/edit']").count();
  check("the auditor sees nothing to write on a row", writes === 0, writes);
  const employee = await person("employee", "ja", 390);
  const home = (await employee.page.locator("main").innerText()).replace(/\s+/g, " ");
  check("the employee's home shows their tasks", employee.answer.status() === 200 && home.includes("自分のタスク") && home.includes("教育の受講"), home);
  // Registers show an employee what is their own; the ledger and the accounts stay closed.
  await employee.page.goto(`${base}/register/party/person`);
  const persons_seen = await employee.page.locator("main tbody tr td a[href^='/row/']").count();
  check("the employee sees no person but themself", persons_seen <= 1, persons_seen);
  await employee.page.goto(`${base}/register/asset/host`);
  const hosts_seen = await employee.page.locator("main tbody tr td a[href^='/row/']").count();
  check("the employee sees hosts of their own only", hosts_seen < hosts.rows, hosts_seen);
  for (const path of ["/ledger", "/people", "/events"]) {
    const refused = await employee.page.goto(base + path);
    check(`the employee is refused ${path}`, refused.status() === 403, refused.status());
  }
  for (const [lang, width] of [["ja", 390], ["en", 390], ["ja", 1280], ["en", 1280]]) {
    await employee.context.addCookies([{ name: "ume_lang", value: lang, url: base }]);
    await employee.page.setViewportSize({ width, height: 900 });
    await employee.page.goto(`${base}/`);
    const wide = await employee.page.evaluate(() => document.documentElement.scrollWidth);
    check(`${lang} ${width} the employee's home`, wide <= width, wide);
    await shot(employee.page, `${lang}_${width}_employee`);
  }
  check("the server complained of nothing", !/ERROR|panicked/.test(complaints), complaints.slice(0, 300));
} catch (error) {
  check("the run", false, error.stack);
}
await browser?.close().catch(() => {});
server.kill("SIGKILL");
if (folder) rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
