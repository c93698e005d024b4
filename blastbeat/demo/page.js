"use strict";
const byId = (id) => document.getElementById(id);
const word = document.documentElement.dataset.page;
const own = (path) => path + "?page=" + encodeURIComponent(word);
const seconds = (milliseconds) => (milliseconds / 1000).toFixed(1) + " s";
const bytes = (count) => count.toLocaleString("en") + (count === 1 ? " byte" : " bytes");
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---------------------------------------------------------------- the stream

const [play, pads, lines] = ["play", "pads", "lines"].map(byId);
for (let i = 0; i < pads.dataset.beats; i++) pads.append(element("i"));

function showBeat(text, milliseconds) {
  const item = element("li");
  item.append(element("time", Math.round(milliseconds) + " ms"), text);
  lines.append(item);
  const pad = pads.children[lines.children.length - 1];
  if (pad) pad.className = "hit";
}

async function stream() {
  play.disabled = true;
  lines.textContent = "";
  for (const pad of pads.children) pad.className = "";
  byId("state").textContent = "Streaming…";
  document.title = "streaming · BlastBeat demo";
  const began = performance.now();
  try {
    const response = await fetch(own("/stream"), {cache: "no-store"});
    if (!response.ok) throw new Error("the answer was " + response.status);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const {value, done} = await reader.read();
      if (done) break;
      const whole = (rest + value).split("\n");
      rest = whole.pop();
      for (const line of whole) showBeat(line, performance.now() - began);
    }
    byId("state").textContent = "Complete.";
    document.title = "complete · BlastBeat demo";
  } catch (error) {
    byId("state").textContent = "The stream broke: " + error.message;
    document.title = "broken · BlastBeat demo";
  }
  play.disabled = false;
}

// ---------------------------------------------------------------- WebSockets

const CODES = {1000: "closed", 1001: "going away", 1006: "lost", 1012: "the node restarts", 1013: "try again later"};
const LINES_KEPT = 100;
const LONGEST_PAUSE = 15000;

const socket = (path) => new WebSocket(location.origin.replace(/^http/, "ws") + own(path));
const ending = (event) => `${event.code}, ${event.reason || CODES[event.code] || "see RFC 6455"}`;

let room = null, retry = 500;

function showLine(name, text, className) {
  const log = byId("chat-log"), item = element("li", undefined, className);
  const isAtEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
  if (name) item.append(element("b", name), " ");
  item.append(text);
  log.append(item);
  while (log.children.length > LINES_KEPT) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

const kinds = {
  welcome({name, said}) {
    byId("chat-log").textContent = "";
    byId("chat-name").placeholder = name;
    for (const each of said) showLine(each.name, each.text);
    if (byId("chat-name").value) tell({name: byId("chat-name").value});
  },
  said({name, text}) { showLine(name, text); },
  news({text, here, count}) {
    showLine("", text, "soft");
    const others = count - here.length;
    byId("chat-here").textContent = `Here: ${here.join(", ")}${others ? ` and ${others} more` : ""}.`;
  },
  "only-you"({text}) { showLine("", text, "only"); },
};

const tell = (value) => { if (room && room.readyState === WebSocket.OPEN) room.send(JSON.stringify(value)); };

function chat() {
  room = socket("/chat");
  byId("chat-state").textContent = "connecting…";
  room.onopen = () => { byId("chat-state").textContent = "connected"; retry = 500; byId("chat-send").disabled = false; };
  room.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (kinds[message.kind]) kinds[message.kind](message);
  };
  room.onclose = (event) => {
    byId("chat-send").disabled = true;
    byId("chat-here").textContent = "";
    // Not all at the same moment: a server that restarts has enough to do.
    const wait = retry * (0.5 + Math.random());
    retry = Math.min(2 * retry, LONGEST_PAUSE);
    byId("chat-state").textContent = `closed (${ending(event)}); again in ${seconds(wait)}`;
    setTimeout(chat, wait);
  };
}

byId("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("chat-text").value.trim();
  if (!text) return;
  tell({say: text});
  byId("chat-text").value = "";
});
byId("chat-name").addEventListener("change", () => tell({name: byId("chat-name").value}));

const ECHOES = 60;

function measure() {
  const bars = byId("bars"), times = [], link = socket("/echo");
  let sent = 0;
  bars.textContent = "";
  byId("echo").disabled = true;
  byId("echo-state").textContent = "Measuring…";
  const next = () => { sent = performance.now(); link.send(String(sent)); };
  link.onopen = next;
  link.onmessage = () => {
    times.push(performance.now() - sent);
    const bar = element("i");
    bars.append(bar);
    const longest = Math.max(...times);
    times.forEach((time, index) => { bars.children[index].style.height = `${Math.max(4, 100 * time / longest)}%`; });
    if (times.length < ECHOES) next(); else link.close(1000, "enough");
  };
  link.onclose = (event) => {
    byId("echo").disabled = false;
    const sorted = [...times].sort((a, b) => a - b), at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
    byId("echo-state").textContent = times.length < ECHOES ? `It broke: ${ending(event)}.` :
      `Fastest ${at(0).toFixed(2)} ms, median ${at(0.5).toFixed(2)} ms, slowest ${at(1).toFixed(2)} ms.`;
  };
}

byId("echo").addEventListener("click", measure);

// ---------------------------------------------------------------- the long poll

const KNOCKS_SHOWN = 6;

async function poll() {
  for (;;) {
    byId("poll-state").textContent = "Waiting for a knock.";
    try {
      const response = await fetch(own("/poll"), {cache: "no-store"});
      if (response.status === 204) continue;
      if (!response.ok) throw new Error("the answer was " + response.status);
      const {knock, waited} = await response.json();
      byId("knocks").prepend(element("li", `knock ${knock}: the poll had waited ${seconds(waited)}`));
      while (byId("knocks").children.length > KNOCKS_SHOWN) byId("knocks").lastChild.remove();
    } catch (error) {
      byId("poll-state").textContent = "The poll broke: " + error.message;
      await pause(2000);
    }
  }
}

byId("knock").addEventListener("click", async () => {
  byId("knock").disabled = true;
  try {
    await fetch(own("/knock"), {method: "POST"});
  } catch (error) {
    byId("poll-state").textContent = "The knock broke: " + error.message;
  }
  byId("knock").disabled = false;
});

// ---------------------------------------------------------------- the upload

const MADE = 16 * 1024 * 1024;

async function digest(blob) {
  if (!window.crypto || !crypto.subtle) return "";  // browsers have it on safe origins only
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function send(blob) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", own("/upload"));
    request.upload.onprogress = (event) => {
      byId("progress").value = event.loaded / blob.size;
      byId("upload-state").textContent = `${bytes(event.loaded)} of ${bytes(blob.size)}`;
    };
    request.onload = () => {
      if (request.status === 200) done(JSON.parse(request.responseText));
      else fail(new Error("the answer was " + request.status));
    };
    request.onerror = () => fail(new Error("the connection ended"));
    request.send(blob);
  });
}

async function upload(blob) {
  const result = byId("upload-result");
  for (const button of [byId("send"), byId("choose")]) button.disabled = true;
  result.hidden = true;
  result.textContent = "";
  byId("progress").value = 0;
  try {
    const told = await send(blob);
    byId("progress").value = 1;
    const sum = await digest(blob);
    const same = sum === "" ? "not compared here" : sum === told.sha256 ? "the same as here" : "NOT the same as here";
    const rows = [
      ["arrived", `${bytes(told.bytes)} in ${told.messages.toLocaleString("en")} messages, ${seconds(told.milliseconds)}`],
      ["sha256", `${told.sha256} (${same})`],
    ];
    for (const [name, value] of rows) {
      const row = element("tr"), title = element("th", name);
      title.scope = "row";
      row.append(title, element("td", value));
      result.append(row);
    }
    result.hidden = false;
    byId("upload-state").textContent = "Complete.";
  } catch (error) {
    byId("upload-state").textContent = "The upload broke: " + error.message;
  }
  for (const button of [byId("send"), byId("choose")]) button.disabled = false;
}

byId("send").addEventListener("click", () => upload(new Blob([new Uint8Array(MADE).fill(98)])));
byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", () => {
  if (byId("file").files.length) upload(byId("file").files[0]);
  byId("file").value = "";
});

// ---------------------------------------------------------------- the frames

const REQUESTS_SHOWN = 24;
const shown = new Map();

function frameTable(request) {
  const table = element("table", undefined, "frames");
  for (const [at, direction, type, size, count, preview] of request.rows) {
    const row = element("tr");
    const name = count > 1 ? `${type} × ${count.toLocaleString("en")}` : type;
    row.append(element("td", at + " ms"), element("td", direction), element("td", name));
    row.append(element("td", bytes(size)), element("td", preview));
    table.append(row);
  }
  if (request.more) {
    const row = element("tr"), cell = element("td", `and ${request.more.toLocaleString("en")} more`);
    cell.colSpan = 5;
    row.append(cell);
    table.append(row);
  }
  return table;
}

function showRequest(request) {
  let details = shown.get(request.number);
  if (!details) {
    details = element("details");
    shown.set(request.number, details);
    byId("requests").prepend(details);
    if (shown.size > REQUESTS_SHOWN) {
      const oldest = Math.min(...shown.keys());
      shown.get(oldest).remove();
      shown.delete(oldest);
    }
  }
  const frames = request.rows.reduce((sum, row) => sum + row[4], request.more);
  const summary = element("summary", `${request.method} ${request.target}`);
  summary.append(element("small", ` ${frames.toLocaleString("en")} messages`));
  details.replaceChildren(summary, frameTable(request));
}

async function frames() {
  let since = 0;
  for (;;) {
    try {
      const response = await fetch(own("/frames") + "&since=" + since, {cache: "no-store"});
      if (response.status === 404) {
        byId("requests").prepend(element("p", "The node is another one now: load the page again.", "soft"));
        return;
      }
      if (!response.ok) throw new Error("the answer was " + response.status);
      const news = await response.json();
      since = news.serial;
      news.requests.forEach(showRequest);
    } catch (error) {
      await pause(1000);
    }
  }
}

play.addEventListener("click", stream);
stream();
poll();
frames();
chat();
