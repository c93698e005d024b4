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
