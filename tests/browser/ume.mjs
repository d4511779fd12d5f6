// What the tests about people share: a server in a folder of its own, a browser, one-time codes.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

let passed = 0;
let failed = 0;
export function check(name, good, detail = "") {
  good ? passed++ : failed++;
  console.log(`${good ? "ok  " : "FAIL"} ${name}${good || detail === "" ? "" : `: ${detail}`}`);
  return good;
}

export async function until(what, seconds, probe) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((r) => setTimeout(r, 200));
  }
}

export class Ume {
  constructor(binary) {
    this.binary = binary;
    this.data = mkdtempSync(join(tmpdir(), "ume-people-"));
    this.complaints = "";
  }

  /** Starts the server; on the first start `this.setup` is the set-up link. */
  async start() {
    let said = "";
    const args = ["serve", "--data", this.data, "--listen", `127.0.0.1:${this.port ?? 0}`];
    this.server = spawn(this.binary, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, UME_LOG: "warn,sqlx=error" },
    });
    this.server.stdout.on("data", (chunk) => (said += chunk));
    this.server.stderr.on("data", (chunk) => (this.complaints += chunk));
    this.base = await until("the address", 30, () => said.match(/Ume 梅\s+(http:\S+)/)?.[1]);
    this.port = new URL(this.base).port;
    this.setup = said.match(/http:\S+\/setup\?token=\S+/)?.[0];
  }

  async stop() {
    const ended = new Promise((r) => this.server.once("exit", r));
    this.server.kill("SIGTERM");
    const late = setTimeout(() => this.server.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(late);
  }

  /** A command of the same binary on the same folder: exit code and output. */
  run(...args) {
    return new Promise((resolve) => {
      const child = spawn(this.binary, args, { env: { ...process.env, UME_DATA: this.data, UME_LOG: "warn" } });
      let out = "";
      child.stdout.on("data", (chunk) => (out += chunk));
      child.stderr.on("data", (chunk) => (out += chunk));
      child.on("exit", (code) => resolve({ code, out }));
    });
  }
}

export const launch = () =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });

/** Runs a test within a bound and ends what it started. */
export async function test(secondsMax, body) {
  const ume = new Ume(process.argv[2]);
  let browser;
  const finish = async () => {
    await browser?.close().catch(() => {});
    ume.server?.kill("SIGKILL");
    rmSync(ume.data, { recursive: true, force: true });
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed === 0 && passed > 0 ? 0 : 1);
  };
  setTimeout(() => {
    check("bounded time", false, `${secondsMax} seconds are over`);
    finish();
  }, secondsMax * 1000);
  try {
    await ume.start();
    browser = await launch();
    await body(ume, browser);
    check("the server complained of nothing", !/ERROR|panicked/.test(ume.complaints), ume.complaints.slice(0, 600));
  } catch (error) {
    check("the run", false, `${error.stack}\n${ume.complaints.slice(0, 600)}`);
  }
  await finish();
}

export const submit = (page, form) =>
  Promise.all([page.waitForNavigation(), form.locator("button").last().click()]).then(([r]) => r);

export const say = async (page) => (await page.locator("main").innerText()).replace(/\s+/g, " ");

function base32(text) {
  const bits = [...text.replace(/[\s=]/g, "").toUpperCase()]
    .map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** An authenticator (RFC 6238) that never gives the same code twice; the server allows one step ahead. */
export class Authenticator {
  constructor(secret) {
    this.secret = secret;
    this.used = 0;
  }

  async code() {
    const now = () => Math.floor(Date.now() / 30_000);
    const step = Math.max(now(), this.used + 1);
    await until("the next one-time code", 65, () => step <= now() + 1);
    this.used = step;
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", base32(this.secret)).update(counter).digest();
    const at = mac[19] & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
  }
}

/** Password step of a sign-in. */
export async function password(page, base, login, word) {
  await page.goto(`${base}/login`);
  await page.fill("[name=login]", login);
  await page.fill("[name=password]", word);
  await submit(page, page.locator("main form").first());
}

/** Enrols an authenticator on the second-factor page; gives it and the recovery codes. */
export async function enrol(page) {
  const authenticator = new Authenticator((await page.locator(".otp code").innerText()).trim());
  await page.fill("[name=code]", await authenticator.code());
  await submit(page, page.locator("main form").first());
  const codes = await page.locator(".otp li").allInnerTexts();
  return { authenticator, codes };
}

/** Makes the first account through the set-up link and puts the first hour off. */
export async function setUp(ume, page, login, word) {
  await page.goto(ume.setup);
  await page.fill("[name=login]", login);
  await page.fill("[name=password]", word);
  await page.fill("[name=again]", word);
  await submit(page, page.locator("main form"));
  const enrolled = await enrol(page);
  await page.click(".continue");
  await page.waitForURL("**/welcome");
  await submit(page, page.locator("form[action='/welcome/later']"));
  return enrolled;
}
