// Comfort on top of pages that work without it: "/" goes to the search, Esc closes a menu, a form
// keeps a draft.
"use strict";

const DRAFT = "ume-draft:";
const SENT = "ume-sent";
const DAYS_MAX = 14;

function typing(element) {
  return element?.matches?.("input, textarea, select, [contenteditable]") ?? false;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const search = document.getElementById("q");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

function drafts() {
  return Object.keys(localStorage).filter((key) => key.startsWith(DRAFT));
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function values(form) {
  const kept = {};
  for (const field of form.elements) {
    if (!field.name || ["hidden", "password", "file", "submit", "button"].includes(field.type)) continue;
    kept[field.name] = field.type === "checkbox" ? field.checked : field.value;
  }
  return kept;
}

function fill(form, kept) {
  for (const field of form.elements) {
    if (!field.name || !Object.hasOwn(kept, field.name) || field.type === "hidden") continue;
    if (field.type === "checkbox") field.checked = kept[field.name];
    else field.value = kept[field.name];
  }
}

function offer(form, key) {
  const draft = read(key);
  const notice = form.querySelector("[data-draft-notice]");
  if (!draft || !notice || JSON.stringify(draft.values) === JSON.stringify(values(form))) return;
  const old = draft.version !== form.elements.version?.value;
  notice.querySelector("[data-draft-old]").hidden = !old;
  notice.hidden = false;
  notice.querySelector("[data-draft-restore]").addEventListener("click", () => {
    fill(form, draft.values);
    notice.hidden = true;
  });
  notice.querySelector("[data-draft-drop]").addEventListener("click", () => {
    localStorage.removeItem(key);
    notice.hidden = true;
  });
}

function keep(form) {
  const key = DRAFT + form.dataset.draft;
  offer(form, key);
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const draft = { at: Date.now(), version: form.elements.version?.value, values: values(form) };
      localStorage.setItem(key, JSON.stringify(draft));
    }, 400);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    sessionStorage.setItem(SENT, key);
  });
}

// A draft goes when the page behind the form is another than the form: then it was saved.
const form = document.querySelector("form[data-draft]");
const sent = sessionStorage.getItem(SENT);
sessionStorage.removeItem(SENT);
if (sent && sent !== DRAFT + form?.dataset.draft && !document.querySelector(".refused")) localStorage.removeItem(sent);
for (const key of drafts()) {
  if (Date.now() - (read(key)?.at ?? 0) > DAYS_MAX * 86400000) localStorage.removeItem(key);
}
if (form) keep(form);

// A field that is needed only when another says so is out of the way until then, unless it is filled.
// The server judges; without this script the field stands there with its condition beside it.
function settle(field) {
  const own = field.querySelector("input, select, textarea");
  const other = form?.elements[field.dataset.when];
  if (!own || !other) return;
  const wanted = field.dataset.is ? field.dataset.is.split(" ") : null;
  const met = wanted ? wanted.includes(other.value) : other.value !== "";
  field.hidden = !met && own.value === "" && !field.querySelector(".error");
}
const conditional = [...document.querySelectorAll("[data-when]")];
conditional.forEach(settle);
if (conditional.length) form?.addEventListener("input", () => conditional.forEach(settle));

// Nothing of one person stays for the next one at the machine.
document.querySelector('form[action="/logout"]')?.addEventListener("submit", () => {
  drafts().forEach((key) => localStorage.removeItem(key));
});
