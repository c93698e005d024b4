// Reads status.json every two seconds and shows it. What nodes and clients said only ever becomes text.
"use strict";

const PERIOD = 2000; // milliseconds between two readings
const PATIENCE = 5000; // and until one counts as failed

const byId = (id) => document.getElementById(id);
let before = null; // the reading before this one, for rates
let readAt = null; // when the last one came
let order = null; // {index, descending}: how virtualhosts are sorted; null as configured

// ---------------------------------------------------------------- words

const count = new Intl.NumberFormat("en");
const time = (date) => date.toLocaleTimeString("en-GB");
const dateTime = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB");

function bytes(n) {
  let value = n;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days) return `${days} d ${hours % 24} h`;
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

const ofLimit = (n, limit, format = count.format) => (limit ? `${format(n)} of ${format(limit)}` : format(n));

// ---------------------------------------------------------------- elements

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const state = (word) => element("span", word, { class: `state ${word}` });

// A column: its heading, what its cell holds (text, or elements), what it is sorted by, and how it looks.
function head(table, columns, sortable) {
  const row = byId(table).tHead.rows[0];
  columns.forEach((column, index) => {
    const cell = element("th", "", { scope: "col", class: column.look ?? "" });
    if (sortable) {
      const button = element("button", column.title, { type: "button" });
      button.addEventListener("click", () => sortBy(index));
      cell.append(button);
    } else {
      cell.textContent = column.title;
    }
    row.append(cell);
  });
}

function fill(table, columns, rows) {
  byId(table).tBodies[0].replaceChildren(...rows.map(({ value, look }) => {
    const row = element("tr", "", { class: look ?? "" });
    columns.forEach((column, index) => {
      const cell = element(index ? "td" : "th", "", { class: column.look ?? "" });
      if (!index) cell.scope = "row";
      cell.append(...[column.cell(value)].flat());
      row.append(cell);
    });
    return row;
  }));
}

// ---------------------------------------------------------------- virtualhosts

const small = (text) => (text ? [element("small", text)] : []);
const rateOf = (each) => before?.requests.has(each.key)
  ? Math.max(0, each.requests - before.requests.get(each.key)) / Math.max(0.001, each.at - before.at) : null;
const limitsOf = (each) => Object.values(each.limits_hit).reduce((sum, n) => sum + n, 0);

const VIRTUALHOSTS = [
  { title: "Name", sort: (v) => v.name,
    cell: (v) => [v.name, ...small([...(v.aliases ?? []), ...(v.addresses ?? []).map((a) => `only on ${a}`)].join(", "))] },
  { title: "State", sort: (v) => v.state ?? "", cell: (v) => (v.state ? state(v.state) : "") },
  { title: "Instances", look: "number", sort: (v) => v.instances_available,
    cell: (v) => (v.nodes.length ? count.format(v.instances_available) : "–") },
  { title: "Sessions", look: "number", sort: (v) => v.sessions ?? 0,
    cell: (v) => (v.sessions === undefined ? "" : ofLimit(v.sessions, v.sessions_limit)) },
  { title: "Requests", look: "number", sort: (v) => v.requests, cell: (v) => count.format(v.requests) },
  { title: "per second", look: "number", sort: (v) => rateOf(v) ?? 0,
    cell: (v) => (rateOf(v) === null ? "" : rateOf(v).toFixed(1)) },
  { title: "4xx", look: "number", sort: (v) => v.answers["4xx"], cell: (v) => count.format(v.answers["4xx"]) },
  { title: "5xx", look: "number", sort: (v) => v.answers["5xx"], cell: (v) => count.format(v.answers["5xx"]) },
  { title: "In", look: "number broad-only", sort: (v) => v.bytes_in, cell: (v) => bytes(v.bytes_in) },
  { title: "Out", look: "number broad-only", sort: (v) => v.bytes_out, cell: (v) => bytes(v.bytes_out) },
  { title: "Held", look: "number broad-only", sort: (v) => v.held, cell: (v) => count.format(v.held) },
  { title: "Queued", look: "number broad-only", sort: (v) => v.queued_bytes ?? 0,
    cell: (v) => (v.queued_bytes === undefined ? "" : bytes(v.queued_bytes)) },
  { title: "Limits hit", look: "number", sort: limitsOf, cell: (v) => count.format(limitsOf(v)) },
];

function sortBy(index) {
  const descending = order?.index === index ? !order.descending : VIRTUALHOSTS[index].look !== undefined;
  order = { index, descending };
  for (const [at, cell] of [...byId("virtualhosts").tHead.rows[0].cells].entries()) {
    if (at === index) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
  if (shown) showVirtualhosts(shown);
}

function showVirtualhosts(status) {
  const found = [...status.virtualhosts];
  if (order) {
    const key = VIRTUALHOSTS[order.index].sort, sign = order.descending ? -1 : 1;
    found.sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  }
  fill("virtualhosts", VIRTUALHOSTS, found.flatMap((each) => [
    { value: each },
    ...each.routes.map((route) => ({ value: route, look: "part" })),
  ]));
  const all = status.virtualhosts_total, matching = status.virtualhosts_matching;
  const listed = found.length < matching ? `the first ${count.format(found.length)} of ` : "";
  const which = matching === all ? `${count.format(all)} configured` : `${count.format(matching)} that match, of ${count.format(all)}`;
  byId("virtualhosts-count").textContent = all ? `${listed}${which}` : "none are configured";
}

// ---------------------------------------------------------------- nodes, limits, server

const NODES = [
  { title: "Node or instance", cell: ({ node, instance, isOnly }) => [
    instance ? instance.identity : node.name,
    ...small(instance && !isOnly ? instance.capabilities.join(" ") : usersOf(node)) ] },
  { title: "State", cell: ({ node, instance }) => [
    state((instance ?? node).state),
    ...small(instance?.why),
    ...small(instance?.refused_by.length ? `not admitted to ${instance.refused_by.join(", ")}` : "") ] },
  { title: "Last heard", look: "number", cell: ({ instance }) => {
    if (!instance) return "";
    return instance.last_heard === null ? "never" : `${duration(instance.last_heard)} ago`;
  } },
  { title: "Sessions", look: "number", cell: ({ node, instance }) =>
    count.format(instance ? instance.sessions : node.instances.reduce((sum, each) => sum + each.sessions, 0)) },
  { title: "Queued", look: "number", cell: ({ node, instance }) =>
    bytes(instance ? instance.queued_bytes : node.instances.reduce((sum, each) => sum + each.queued_bytes, 0)) },
  { title: "Where", look: "broad-only", cell: ({ node, instance }) => instance?.address || node.router },
];

function usersOf(node) {
  const more = node.virtualhosts_total - node.virtualhosts.length;
  return `for ${node.virtualhosts.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function showNodes(status) {
  const rows = [];
  for (const node of status.nodes) {
    const [only] = node.instances.length === 1 ? node.instances : [];
    if (only?.identity === node.name) {
      rows.push({ value: { node, instance: only, isOnly: true } });
      continue;
    }
    rows.push({ value: { node } });
    for (const instance of node.instances) rows.push({ value: { node, instance }, look: "part" });
  }
  fill("nodes", NODES, rows);
  const { nodes, nodes_up: up, instances_up: instances } = status.server;
  byId("nodes-count").textContent =
    `${count.format(up)} of ${count.format(nodes)} with an available instance, ${count.format(instances)} instances`;
}

const LIMITS = [
  { title: "Where", cell: (row) => row.where },
  { title: "Limit", cell: (row) => row.limit },
  { title: "Times", look: "number", cell: (row) => count.format(row.times) },
];
const OF_THE_SERVER = {
  "connections.refused": "connections",
  "connections.given-up.slow-client": "writequeue-buffer",
  "connections.given-up.memory": "memory",
  "messages.dropped.instances": "instances",
};

function showLimits(status) {
  const rows = [];
  for (const [counter, limit] of Object.entries(OF_THE_SERVER)) {
    const times = status.counters[counter];
    if (times) rows.push({ where: "the server", limit, times });
  }
  for (const virtualhost of status.virtualhosts) {
    for (const part of [virtualhost, ...virtualhost.routes]) {
      const where = part === virtualhost ? part.name : `${virtualhost.name} ${part.name}`;
      for (const [limit, times] of Object.entries(part.limits_hit)) rows.push({ where, limit, times });
    }
  }
  fill("limits", LIMITS, rows.map((value) => ({ value })));
  byId("limits-none").hidden = rows.length > 0;
  byId("limits").hidden = rows.length === 0;
}

const COUNTERS = [
  { title: "Counter", cell: (row) => row.name },
  { title: "Times", look: "number", cell: (row) => count.format(row.times) },
  { title: "Counts", cell: (row) => row.meaning },
];

function showCounters(status) {
  const rows = Object.entries(status.plugin_counters)
    .map(([name, meaning]) => ({ name, meaning, times: status.counters[name] }))
    .filter((row) => row.times);
  fill("counters", COUNTERS, rows.map((value) => ({ value })));
  byId("counters-section").hidden = rows.length === 0;
}

function showServer(status) {
  const { server, process } = status;
  const requests = status.counters["requests.received"];
  const refused = status.counters["config.reloads-refused"];
  const rate = before ? Math.max(0, requests - before.received) / Math.max(0.001, status.at - before.at) : null;
  const facts = [
    ["State", server.state], ["Up for", duration(server.uptime)],
    ["Requests", `${count.format(requests)}${rate === null ? "" : `, ${rate.toFixed(1)} per second`}`],
    ["Connections", ofLimit(server.connections, server.connections_limit)],
    ["Sessions", ofLimit(server.sessions, server.sessions_limit)],
    ["WebSockets", count.format(server.websockets)],
    ["Waiting for clients", ofLimit(server.client_queued_bytes, server.client_queued_limit, bytes)],
    ["Waiting for nodes", bytes(server.node_queued_bytes)],
    ["Resident memory", process.resident_bytes === undefined ? "?" : bytes(process.resident_bytes)],
    ["Descriptors", process.descriptors === undefined ? "?" : ofLimit(process.descriptors, process.descriptors_limit)],
    ["Process", `${process.pid}, ${duration(process.cpu_seconds)} of processor time`],
    ["Clients", server.addresses.join(", ") || "none", "broad"], ["Nodes", server.endpoints.join(", ") || "none", "broad"],
    ["Configuration", server.config_file || "none", "broad"],
    ["Configuration read", `${dateTime(server.loaded_at)}, number ${server.generation}`
      + (refused ? `; refused since the start: ${count.format(refused)}` : ""), "broad"],
  ];
  byId("server").replaceChildren(...facts.map(([name, value, look]) => {
    const group = element("div", "", { class: look ?? "" });
    group.append(element("dt", name), element("dd", value));
    return group;
  }));
  byId("version").textContent = `BlastBeat ${server.version}, driver ${server.driver}`;
}

const SOON = 30;  // days, as `check` and the log have it

function showNotices(status) {
  const notices = [];
  if (status.server.state !== "running") notices.push(["warn", "The server stops: it finishes what runs."]);
  const without = status.virtualhosts_without_node;
  if (without) {
    const more = without - status.without_node.length;
    const names = status.without_node.join(", ") + (more > 0 ? ` and ${count.format(more)} more` : "");
    notices.push(["bad", `Without an available node: ${names}`]);
  }
  for (const { file, days_left: left } of status.server.certificates) {
    if (left === null || left >= SOON) continue;
    const days = left ? `in ${left} day${left === 1 ? "" : "s"}` : "within a day";
    const when = left < 0 ? "has expired" : `expires ${days}`;
    notices.push([left < 0 ? "bad" : "warn", `The certificate ${file} ${when}.`]);
  }
  const { descriptors, descriptors_limit: limit } = status.process;
  if (limit && descriptors > 0.9 * limit) notices.push(["warn", "Nearly all file descriptors are in use."]);
  byId("notices").replaceChildren(...notices.map(([look, text]) => element("li", text, { class: look })));
  document.title = notices.length ? "(!) BlastBeat" : "BlastBeat";
}

// ---------------------------------------------------------------- reading

let shown = null;

function show(status) {
  for (const virtualhost of status.virtualhosts) {
    Object.assign(virtualhost, { key: virtualhost.name, at: status.at });
    for (const route of virtualhost.routes) Object.assign(route, { key: `${virtualhost.name} ${route.name}`, at: status.at });
  }
  shown = status;
  showNotices(status);
  showServer(status);
  showVirtualhosts(status);
  showNodes(status);
  showLimits(status);
  showCounters(status);
  before = {
    at: status.at,
    received: status.counters["requests.received"],
    requests: new Map(status.virtualhosts.flatMap((v) => [v, ...v.routes]).map((each) => [each.key, each.requests])),
  };
}

function showFreshness(failure) {
  document.body.classList.toggle("stale", Boolean(failure));
  byId("freshness").classList.toggle("stale", Boolean(failure));
  const since = readAt ? `stale since ${time(readAt)}` : "nothing read yet";
  byId("freshness").textContent = failure ? `${since}: ${failure}` : `as of ${time(readAt)}, read every ${PERIOD / 1000} s`;
}

async function read() {
  const search = byId("search").value.trim();
  const response = await fetch(`status.json?${new URLSearchParams(search ? { search } : {})}`, {
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const status = await response.json();
  if (search === byId("search").value.trim()) show(status);
  readAt = new Date();
}

let timer = 0;
let round = 0;

async function refresh() {
  clearTimeout(timer);
  const mine = ++round;
  try {
    await read();
    showFreshness("");
  } catch (error) {
    showFreshness(error instanceof TypeError ? "the server does not answer" : error.message);
  }
  if (mine === round) timer = setTimeout(refresh, PERIOD);
}

head("virtualhosts", VIRTUALHOSTS, true);
head("nodes", NODES, false);
head("limits", LIMITS, false);
head("counters", COUNTERS, false);
let typing = 0;
byId("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(refresh, 150);
});
refresh();
