// The page is a client of the MQTT contract (docs/topics.md): it shows what
// topics say, and each click publishes one message, which it shows as well.

import { open } from "./line.js";
import { Card, describe } from "./card.js";

const find = (selector) => document.querySelector(selector);
const mostLines = 300;

const cards = new Map(); // by slug
const kept = new Map();  // what topics of devices said before there was a card
let base = "airplay", ahead = 0, uploadLimit = 0, say = () => false;
let reached = false, online = true; // the broker, and the bridge by what it says

const house = {
  base, chimes: [], devices: [], hasDoctor: false,
  now: () => Date.now() + ahead,
  publish,
  upload,
  doctor: (slug) => say({ doctor: slug }),
};

// publish says a message, and shows it.
function publish(rest, payload) {
  const topic = base + "/" + rest;
  const heard = say({ topic, payload });
  showMessage(topic, payload, heard);
  return heard;
}

const message = find("#message");

function showMessage(topic, payload, heard) {
  message.hidden = false;
  message.querySelector("code").textContent = topic + (payload ? "  " + payload : "  (empty)");
  message.dataset.payload = payload;
  message.dataset.command = `mosquitto_pub -t ${quote(topic)} ` + (payload ? "-m " + quote(payload) : "-n");
  message.querySelector("[role=status]").textContent = heard ? "" : "not sent: there is no connection";
}

// quote writes a word as a shell reads it.
const quote = (s) => /^[\w./:-]+$/.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'";

message.addEventListener("click", async (e) => {
  const what = e.target.dataset.copy;
  if (!what) return;
  const status = message.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(message.dataset[what]);
    status.textContent = "copied";
  } catch {
    status.textContent = "the browser does not let this page copy; mark the text instead";
  }
});

// upload sends a file that is to be played once, and returns its path.
function upload(file, progress) {
  if (uploadLimit && file.size > uploadLimit) {
    return Promise.reject(new Error(`the file has ${file.size} bytes; ${uploadLimit} are allowed (media.max_download)`));
  }
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open("POST", "upload?name=" + encodeURIComponent(file.name));
    r.responseType = "json";
    r.upload.onprogress = (e) => progress(e.total ? e.loaded / e.total : 0);
    r.onload = () => r.status === 201 ? resolve(r.response.path) : reject(new Error(r.response?.error ?? "the file was refused"));
    r.onerror = () => reject(new Error("the file could not be sent"));
    r.send(file);
  });
}

// told takes what the bridge says.
function told(m) {
  if (m.topic !== undefined) return heard(m.topic, m.payload);
  if (m.hello !== undefined) return greeted(m);
  if (m.connected !== undefined) return connected(m.connected);
  if (m.log !== undefined) return logged(m.log);
  if (m.doctor !== undefined) return cards.get(m.doctor.device)?.diagnosed(m.doctor);
  if (m.error !== undefined) message.querySelector("[role=status]").textContent = m.error;
}

function greeted(hello) {
  base = house.base = hello.base;
  ahead = hello.now - Date.now();
  uploadLimit = hello.max_upload;
  house.hasDoctor = hello.doctor;
  find("#login").hidden = true;
  find("#rest").hidden = false;
  find("#all").hidden = false;
  find("#leave").hidden = !hello.asked;
  find("#log").hidden = !hello.tail;
  kept.clear();
  if (find("#log").open) follow();
}

function connected(yes) {
  reached = yes;
  showLine();
}

function showLine() {
  const line = find("#line");
  line.className = reached && online ? "well" : "ill";
  line.textContent = !reached ? "the bridge has no connection to the broker" : online ? "connected" : "the bridge is offline";
}

function heard(topic, payload) {
  const rest = topic.slice(base.length + 1);
  const slash = rest.indexOf("/");
  const slug = rest.slice(0, slash), name = rest.slice(slash + 1);
  if (name === "event" || name === "result" || name.startsWith("response/")) happened(rest, payload);
  if (slug === "bridge") return bridgeSaid(name, payload);
  const card = cards.get(slug);
  if (card) return card.heard(name, payload);
  if (!kept.has(slug)) kept.set(slug, new Map());
  if (name !== "result" && name !== "event") kept.get(slug).set(name, payload);
}

function bridgeSaid(name, payload) {
  const said = payload && name !== "state" ? JSON.parse(payload) : null;
  if (name === "info" && said) {
    house.chimes = said.chimes ?? [];
    for (const list of document.querySelectorAll(".chimes select")) fill(list, house.chimes);
    describe(find("#bridge dl"), { Version: said.version, Broker: said.broker, "Base topic": said.base_topic, "Runs since": new Date(said.started_at).toLocaleString() });
  } else if (name === "devices" && said) {
    house.devices = said;
    showDevices();
  } else if (name === "health") {
    showProblems(said?.problems ?? []);
  } else if (name === "state") {
    online = payload !== "offline";
    showLine();
  } else if (name.startsWith("response/")) {
    const box = name.startsWith("response/group/") ? "#groups" : "#bridge";
    find(box + " .answer").textContent = name.slice("response/".length) + ": " + (said.status === "ok" ? "done" : said.error.message);
    if (said.status !== "ok") find(box).open = true;
  }
}

// showProblems shows what somebody should look after.
function showProblems(problems) {
  const list = find("#problems");
  list.hidden = problems.length === 0;
  list.replaceChildren(...problems.map((p) => {
    const li = document.createElement("li");
    li.textContent = `${p.code}: ${p.message}`;
    return li;
  }));
}

find("#bridge").addEventListener("click", (e) => {
  const request = e.target.dataset.request;
  if (request) publish("bridge/request/" + request, "");
});

// fill puts names into a list, and leaves what is chosen.
function fill(list, names, shown = names) {
  const chosen = list.value;
  list.replaceChildren(...names.map((n, i) => new Option(shown[i], n)));
  if (names.includes(chosen)) list.value = chosen;
  else if (names.includes("doorbell")) list.value = "doorbell";
}

// showDevices makes the cards be those of all devices, in the order of names.
function showDevices() {
  const rows = house.devices.toSorted((a, b) => Boolean(a.members) - Boolean(b.members) || a.name.localeCompare(b.name));
  const slugs = new Set(rows.map((r) => r.slug));
  for (const [slug, card] of cards) {
    if (slugs.has(slug)) continue;
    card.root.remove();
    cards.delete(slug);
  }
  let before = null;
  for (const row of rows) {
    let card = cards.get(row.slug);
    if (!card) {
      card = new Card(row.slug, house);
      cards.set(row.slug, card);
      fill(card.get(".bar .chimes select"), house.chimes);
      for (const [name, payload] of kept.get(row.slug) ?? []) card.heard(name, payload);
      kept.delete(row.slug);
    }
    const place = before ? before.nextSibling : find("#devices").firstChild;
    if (place !== card.root) find("#devices").insertBefore(card.root, place);
    before = card.root;
    card.describe(row);
    const others = rows.filter((r) => r.slug !== row.slug && !row.members);
    card.get(".join").hidden = others.length === 0;
    fill(card.get(".join select"), others.map((r) => r.slug), others.map((r) => r.name));
  }
  find("#none").hidden = rows.length > 0;
  showMembers(rows.filter((r) => !r.members));
}

// showMembers lets choose who is to be in a group.
function showMembers(rows) {
  const box = find("#groups fieldset");
  const chosen = new Set([...box.querySelectorAll("input:checked")].map((i) => i.value));
  const labels = rows.map((r) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "checkbox";
    input.value = r.slug;
    input.checked = chosen.has(r.slug);
    label.append(input, r.name);
    return label;
  });
  box.replaceChildren(box.querySelector("legend"), ...labels);
}

find("#groups form").addEventListener("submit", (e) => {
  e.preventDefault();
  const members = [...e.target.querySelectorAll("input:checked")].map((i) => i.value);
  const name = e.target.elements.name.value.trim();
  publish("bridge/request/group/set", JSON.stringify({ name, members }));
});

find("#all").addEventListener("click", (e) => {
  const what = e.target.closest("button")?.dataset.do;
  if (what === "ring") publish("all/chime", find("#all select").value);
  else if (what) publish("all/" + what, "");
});

// line writes one more line into a list, and forgets the oldest.
function line(list, kind, when, text) {
  const li = document.createElement("li"), time = document.createElement("time");
  const at = new Date(when);
  time.textContent = isNaN(at) ? "" : at.toLocaleTimeString() + " ";
  li.className = kind;
  li.append(time, text);
  const below = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(li);
  while (list.children.length > mostLines) list.firstChild.remove();
  if (below) list.scrollTop = list.scrollHeight;
}

function happened(rest, payload) {
  line(find("#happened ol"), payload.includes('"error"') ? "error" : "", house.now(), `${rest} ${payload}`.slice(0, 2000));
}

function logged(entry) {
  const { level = "", time, message: said = "", ...rest } = entry;
  const details = Object.entries(rest).map(([k, v]) => `${k}=${typeof v === "string" ? v : JSON.stringify(v)}`);
  line(find("#log ol"), level, time, [level.toUpperCase(), said, ...details].join("  "));
}

function follow() {
  find("#log ol").replaceChildren();
  say({ tail: "on" });
}

find("#log").addEventListener("toggle", (e) => e.target.open ? follow() : say({ tail: "off" }));

find("#login").addEventListener("submit", async (e) => {
  e.preventDefault();
  const problem = e.target.querySelector(".problem");
  const answer = await fetch("login", { method: "POST", body: JSON.stringify({ token: e.target.elements.token.value }) });
  problem.hidden = answer.ok;
  if (answer.ok) return location.reload();
  problem.textContent = (await answer.json()).error;
});

find("#leave").addEventListener("click", async () => {
  await fetch("logout", { method: "POST" });
  location.reload();
});

function changed(how) {
  const line = find("#line");
  line.className = how === "connecting" ? "" : "ill";
  line.textContent = { connecting: "connecting …", closed: "the bridge does not answer", token: "a token is wanted" }[how];
  if (how === "token" && find("#login").hidden) {
    find("#login").hidden = false;
    find("#login input").focus();
  }
}

setInterval(() => { for (const card of cards.values()) card.tick(); }, 500);
say = open(told, changed);
