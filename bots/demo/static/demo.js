// The demo's page: speaks to /say, listens to /events, and draws what it hears.
// The only HTML it takes from the server is a message's, which the server has made safe.
"use strict";

const NAMES = { discord: "Discord", telegram: "Telegram", slack: "Slack" };
const TRIES = {
  discord: ["What is 12 * 12?", "**bold** and `code`", "/help"],
  telegram: ["What is 19 + 23?", "Tell me a little", "/help"],
  slack: ["What is 84 / 2?", "Is this a real model?", "/parley help"],
};
const WIDEST = 36;
const byId = (id) => document.getElementById(id);
const panes = new Map([...document.querySelectorAll(".pane")].map((pane) => [pane.dataset.channel, pane]));
const traces = new Map();
const busy = new Set();
let shownChannel = null;
let stream = null;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

// --- the stream: one a page, closed while nobody looks, since a browser opens only six a host ---

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource("/events");
  stream.addEventListener("hello", (event) => greet(JSON.parse(event.data)));
  stream.addEventListener("message", (event) => event.data && showMessage(JSON.parse(event.data)));
  stream.addEventListener("trace", (event) => hearTrace(JSON.parse(event.data)));
  stream.onopen = () => tellLive("live", "live");
  stream.onerror = () => {
    tellLive("the demo does not answer; trying again …", "lost");
    // A refusal ends the stream for good; a lost connection the browser opens again by itself.
    if (stream && stream.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(listen, 3000);
    }
  };
}

function look() {
  if (!document.hidden) return listen();
  if (stream) stream.close();
  stream = null;
  tellLive("paused", "lost");
}

function tellLive(text, state) {
  const live = byId("live");
  live.textContent = text;
  live.dataset.state = state;
}

function greet(hello) {
  byId("version").textContent = hello.version;
  forget();
  for (const [channel, pane] of panes) {
    pane.querySelector(".log").replaceChildren(welcome(channel));
    pane.hidden = !hello.channels.includes(channel);
  }
}

// All that is still true is told anew after a greeting.
function forget() {
  traces.clear();
  busy.clear();
  for (const id of ["facts", "stores", "picks"]) byId(id).hidden = true;
  byId("steps").replaceChildren();
  byId("which").textContent = "Write something above: its turn appears here, step by step.";
}

function welcome(channel) {
  return make("p", "welcome", `This is the start of your talk with the bot on ${NAMES[channel]}.`);
}

// --- panes ---

function showMessage(body) {
  const log = panes.get(body.channel).querySelector(".log");
  const known = [...log.querySelectorAll(".message")].find((each) => each.dataset.id === body.id);
  if (body.deleted) {
    if (known) known.remove();
    return;
  }
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const drawn = drawMessage(body);
  if (known) known.replaceWith(drawn);
  else log.append(drawn);
  if (atEnd || body.mine) log.scrollTop = log.scrollHeight;
}

function drawMessage(body) {
  const message = make("article", `message ${body.mine ? "mine" : "bot"}`);
  message.dataset.id = body.id;
  message.dataset.text = body.text;
  const avatar = make("span", "avatar", body.mine ? "Y" : "P");
  avatar.setAttribute("aria-hidden", "true");
  const main = make("div", "main");
  const meta = make("div", "meta");
  meta.append(make("span", "name", body.mine ? "You" : "Parley"));
  if (!body.mine) meta.append(make("span", "badge", "APP"));
  const at = new Date(body.at * 1000);
  meta.append(make("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (body.edits) meta.append(make("span", "edited", `edited ${body.edits}×`));
  if (body.thread) meta.append(make("span", "note", "in the thread"));
  if (body.only_you) meta.append(make("span", "note", "only you can see this"));
  const text = make("div", "text");
  text.innerHTML = body.html;
  if (!body.mine && busy.has(body.channel)) addCaret(text);
  main.append(meta, text);
  for (const sign of body.reactions) main.append(make("span", "reaction", sign));
  message.append(avatar, main);
  return message;
}

// Behind the last word, however deep it stands.
function addCaret(text) {
  const caret = make("span", "caret", "▍");
  caret.setAttribute("aria-hidden", "true");
  let place = text;
  while (place.lastElementChild && place.lastChild === place.lastElementChild && place.lastChild.tagName !== "BR") {
    place = place.lastElementChild;
  }
  place.append(caret);
}

function settle(channel) {
  panes.get(channel).querySelectorAll(".caret").forEach((caret) => caret.remove());
  const last = [...panes.get(channel).querySelectorAll(".bot")].pop();
  if (last) byId("said").textContent = `${NAMES[channel]}: ${last.dataset.text}`;
}

async function speak(channel, text) {
  const problem = panes.get(channel).querySelector(".problem");
  problem.textContent = "";
  busy.add(channel);
  shownChannel = channel;
  try {
    const answer = await fetch("/say", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ channel, text }),
    });
    if (answer.ok) return true;
    const detail = (await answer.json()).detail;
    problem.textContent = typeof detail === "string" ? detail : "The demo did not understand that.";
  } catch {
    problem.textContent = "The demo does not answer. Is it still running?";
  }
  busy.delete(channel);
  return false;
}

function prepare(channel, pane) {
  const form = pane.querySelector("form");
  const box = pane.querySelector("textarea");
  const send = async () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    if (!(await speak(channel, text)) && !box.value) box.value = text;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  for (const text of TRIES[channel]) {
    const chip = make("button", "", text);
    chip.type = "button";
    chip.addEventListener("click", () => speak(channel, text));
    pane.querySelector(".try").append(chip);
  }
}

function chooseTab(button) {
  byId("panes").dataset.shown = button.dataset.show;
  for (const each of document.querySelectorAll(".tabs button")) {
    each.setAttribute("aria-pressed", String(each === button));
  }
}

// --- the turn ---

function hearTrace(trace) {
  const before = traces.get(trace.channel);
  traces.set(trace.channel, trace);
  if (trace.closed && !(before && before.turn === trace.turn && before.closed)) {
    busy.delete(trace.channel);
    settle(trace.channel);
  } else if (!trace.closed) {
    busy.add(trace.channel);
  }
  shownChannel ??= trace.channel;
  drawPicks();
  if (trace.channel === shownChannel) showTrace(trace);
}

function drawPicks() {
  byId("picks").hidden = traces.size < 2;
  const known = [...panes.keys()].filter((channel) => traces.has(channel));
  byId("picks").replaceChildren(
    ...known.map((channel) => {
      const pick = make("button", "", NAMES[channel]);
      pick.type = "button";
      pick.setAttribute("aria-pressed", String(channel === shownChannel));
      pick.addEventListener("click", () => choose(channel));
      return pick;
    }),
  );
}

function choose(channel) {
  shownChannel = channel;
  drawPicks();
  showTrace(traces.get(channel));
  [...byId("picks").children].find((pick) => pick.getAttribute("aria-pressed") === "true").focus();
}

function showTrace(trace) {
  const state = trace.closed ? `answered in ${ms(trace.total)}` : "running …";
  byId("which").textContent = `${NAMES[trace.channel]} · turn ${trace.turn.slice(-12)} · ${state}`;
  drawSteps(trace);
  drawFacts(trace);
  drawStores(trace);
}

function ms(value) {
  if (value < 0.05) return "< 0.1 ms";
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function drawSteps(trace) {
  const whole = Math.max(trace.total, 1);
  const next = trace.closed ? null : trace.steps.findLast((step) => step.ms !== null);
  const running = next ? trace.steps[trace.steps.indexOf(next) + 1] : null;
  byId("steps").replaceChildren(
    ...trace.steps.map((step, index) => {
      const line = make("li", step.ms === null ? (step === running ? "running" : "pending") : "");
      const words = make("div", "words");
      words.append(make("span", "number", index + 1), make("strong", "", step.name), make("span", "what", step.what));
      const track = make("div", "track");
      if (step.ms !== null) {
        const bar = make("div", "bar");
        bar.style.left = `${Math.min((step.at / whole) * 100, 99.4)}%`;
        bar.style.width = `${(step.ms / whole) * 100}%`;
        track.append(bar);
      }
      const skipped = trace.closed ? "not needed" : step === running ? "…" : "";
      line.append(words, track, make("span", "ms", step.ms === null ? skipped : ms(step.ms)));
      return line;
    }),
  );
}

function drawFacts(trace) {
  const used = trace.usage;
  byId("facts").hidden = !used;
  if (!used) return;
  const none = used.calls === 0;
  const cost = used.cost_micro === null ? "no price known" : used.cost_micro / 1e6;
  const facts = [
    ["model", none ? "none asked" : used.model],
    ["tokens in", used.prompt],
    ["tokens out", used.completion],
    ["cost", none || cost === 0 ? "0, the script is free" : cost],
    ["first word", used.first_token_ms === null ? "–" : ms(used.first_token_ms)],
    ["Enter to end", ms(trace.total)],
  ];
  byId("facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const fact = make("div");
      fact.append(make("dt", "", name), make("dd", "", value));
      return fact;
    }),
  );
}

// --- what is stored ---

function drawStores(trace) {
  byId("stores").hidden = !trace.rows;
  if (!trace.rows) return;
  const tables = Object.entries(trace.rows).filter(([, rows]) => rows.length);
  byId("rows").replaceChildren(...tables.map(([name, rows]) => drawTable(name, Object.keys(rows[0]), rows)));
  const keys = trace.keys.map((key) => ({ ...key, ttl: `${key.ttl} s` }));
  byId("keys").replaceChildren(...keys.map(drawKey));
}

function drawTable(name, columns, rows) {
  const box = make("div", "scroll");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", name);
  const table = make("table");
  table.append(make("caption", "", `${name} · ${rows.length} ${rows.length === 1 ? "row" : "rows"}`));
  const head = make("tr");
  columns.forEach((column) => head.append(make("th", "", column)));
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    columns.forEach((column) => line.append(cell(row[column])));
    body.append(line);
  }
  table.append(make("thead"), body);
  table.tHead.append(head);
  box.append(table);
  return box;
}

function cell(value) {
  const text = plain(value);
  const data = make("td", typeof value === "number" ? "number" : "", text.length > WIDEST ? `${text.slice(0, WIDEST)}…` : text);
  if (text.length > WIDEST) data.title = text;
  if (value === null || value === "") data.className = "nothing";
  return data;
}

function plain(value) {
  if (value === null) return "null";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function drawKey(key) {
  const item = make("div", "key");
  item.append(make("code", "", key.key), make("span", "kind", `${key.type} · expires in ${key.ttl}`));
  const value = Array.isArray(key.value)
    ? key.value
    : typeof key.value === "object"
      ? Object.entries(key.value).map(([name, each]) => `${name}: ${plain(each)}`)
      : [plain(key.value)];
  value.forEach((each) => item.append(make("div", "value", plain(each))));
  return item;
}

panes.forEach((pane, channel) => prepare(channel, pane));
document.querySelectorAll(".tabs button").forEach((button) => {
  button.addEventListener("click", () => chooseTab(button));
});
document.addEventListener("visibilitychange", look);
listen();
