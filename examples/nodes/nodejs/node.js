const { Dealer } = require("zeromq")

const [endpoint, name, silence = 9] = process.argv.slice(2) // seconds: three of the server's ping periods
const uploads = new Map(), streams = new Map(), chat = new Map() // what is kept of each session, by sid
let socket, sending, heard, stopping = false

function forgetAll() {
  for (const kept of [uploads, streams, chat]) kept.clear()
}

function send(sid, type, body = "") { // one after the other: a socket has no two sends at once
  const own = socket
  sending = sending.then(() => own.send([Buffer.from(sid, "latin1"), type, body])).catch(() => {}) // of a socket that was closed
}

async function connect() {
  forgetAll()
  heard = Date.now()
  const own = socket = new Dealer({ routingId: name, linger: 0 })
  sending = Promise.resolve()
  socket.connect(endpoint)
  send("", "pong")
  for await (const [sid, type, body] of own) {
    heard = Date.now()
    receive(sid.toString("latin1"), String(type), body)
  }
}

function variables(packet) {
  const words = []
  for (let at = 4; at < packet.length; ) {
    const end = at + 2 + packet.readUInt16LE(at)
    words.push(packet.toString("latin1", at + 2, end))
    at = end
  }
  const found = new Map()
  while (words.length) found.set(...words.splice(0, 2))
  return found
}

function answer(sid, body, status = "200 OK") {
  const length = Buffer.byteLength(body)
  send(sid, "headers", `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`)
  send(sid, "body", body)
}

function begin(sid, request) {
  const length = Number(request.get("CONTENT_LENGTH") || 0), path = request.get("PATH_INFO")
  if (request.has("HTTP_UPGRADE")) { // a WebSocket: the server answers the handshake itself
    chat.set(sid, true)
  } else if (request.has("HTTP_TRANSFER_ENCODING")) { // a body of unknown length: an empty piece is the last
    uploads.set(sid, { pieces: [] })
  } else if (length) { // as many bytes follow; nothing marks the end
    uploads.set(sid, { pieces: [], missing: length })
  } else if (path === "/stream") {
    send(sid, "headers", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    streams.set(sid, 1)
  } else if (path === "/") {
    answer(sid, `hello from ${name}\n`)
  } else {
    answer(sid, "no such page\n", "404 Not Found")
  }
}

function bodyCame(sid, piece) {
  const upload = uploads.get(sid)
  if (!upload) return
  upload.pieces.push(piece)
  upload.missing -= piece.length
  if (upload.missing === 0 || !piece.length) {
    uploads.delete(sid)
    answer(sid, Buffer.concat(upload.pieces))
  }
}

function goOn() { // the next piece of each stream: no session waits for another
  for (const [sid, number] of streams) {
    send(sid, "chunk", number <= 5 ? `${number}\n` : "")
    if (number <= 5) streams.set(sid, number + 1)
    else streams.delete(sid)
  }
}

function receive(sid, type, body) {
  if (type === "ping") send(sid, "pong")
  else if (type === "uwsgi") begin(sid, variables(body))
  else if (type === "body") bodyCame(sid, body)
  else if (type === "websocket") for (const member of chat.keys()) send(member, "websocket", body)
  else if (type === "end") for (const kept of [uploads, streams, chat]) kept.delete(sid) // nothing more comes of it
  else if (type === "spawn") forgetAll() // a server that has just started knows none of our sessions
  else if (type === "drain") process.exit()
}

function stop() {
  if (stopping) return
  stopping = true
  send("", "drain") // no further request; `drain` comes back at the end
  for (const member of chat.keys()) send(member, "end", "1012 restarting")
  setTimeout(() => process.exit(), 10000)
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, stop)
setInterval(goOn, 100)
setInterval(() => {
  if (Date.now() - heard < silence * 1000) return
  socket.close() // the server has lost us, or another has our name
  connect()
}, 100)
connect()
