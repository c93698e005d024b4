require "ffi-rzmq"

endpoint, $name, silence = ARGV
silence = (silence || 9).to_f # seconds: three of the server's ping periods
$context = ZMQ::Context.new
$uploads, $streams, $chat = {}, {}, {} # what is kept of each session, by sid
$socket = stop_at = nil
%w[TERM INT].each { |signal| trap(signal) { stop_at ||= now + 10 } }

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
def forget_all = [$uploads, $streams, $chat].each(&:clear)
def tell(sid, type, body = "") = $socket.send_strings([sid, type, body])

def connect(endpoint)
  forget_all
  $socket&.close
  $socket = $context.socket(ZMQ::DEALER)
  $socket.setsockopt(ZMQ::IDENTITY, $name)
  $socket.setsockopt(ZMQ::RCVTIMEO, 100) # milliseconds: look at clock and streams ten times a second
  $socket.setsockopt(ZMQ::LINGER, 0)
  $socket.connect(endpoint)
  tell("", "pong")
  now
end

def variables(packet)
  words, at = [], 4
  while at < packet.bytesize
    size = packet.byteslice(at, 2).unpack1("v")
    words << packet.byteslice(at + 2, size)
    at += 2 + size
  end
  Hash[*words]
end

def answer(sid, body, status = "200 OK")
  tell(sid, "headers", "HTTP/1.1 #{status}\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\n\r\n")
  tell(sid, "body", body)
end

def start(sid, request)
  if request["HTTP_UPGRADE"] # a WebSocket: the server answers the handshake itself
    $chat[sid] = true
  elsif request["HTTP_TRANSFER_ENCODING"] # a body of unknown length: an empty piece is the last
    $uploads[sid] = [nil, +""]
  elsif request["CONTENT_LENGTH"].to_i > 0 # as many bytes follow; nothing marks the end
    $uploads[sid] = [request["CONTENT_LENGTH"].to_i, +""]
  elsif request["PATH_INFO"] == "/stream"
    tell(sid, "headers", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    $streams[sid] = 1
  elsif request["PATH_INFO"] == "/"
    answer(sid, "hello from #{$name}\n")
  else
    answer(sid, "no such page\n", "404 Not Found")
  end
end

def body_came(sid, piece)
  length, body = $uploads[sid]
  return unless body
  body << piece
  return unless length ? body.bytesize == length : piece.empty?
  $uploads.delete(sid)
  answer(sid, body)
end

def go_on # the next piece of each stream: no session waits for another
  $streams.each { |sid, number| tell(sid, "chunk", number <= 5 ? "#{number}\n" : "") }
  $streams.transform_values!(&:succ)
  $streams.delete_if { |_, number| number > 6 }
end

heard, draining = connect(endpoint), false
loop do
  $socket.recv_strings(message = [])
  sid, type, body = message
  heard = now if type
  case type
  when "ping" then tell(sid, "pong")
  when "uwsgi" then start(sid, variables(body))
  when "body" then body_came(sid, body)
  when "websocket" then $chat.each_key { |member| tell(member, "websocket", body) }
  when "end" then [$uploads, $streams, $chat].each { |kept| kept.delete(sid) } # nothing more comes of it
  when "spawn" then forget_all # a server that has just started knows none of our sessions
  end
  go_on
  heard = connect(endpoint) if now - heard > silence # the server has lost us, or another has our name
  if stop_at && !draining
    draining = true
    tell("", "drain") # no further request; `drain` comes back at the end
    $chat.each_key { |member| tell(member, "end", "1012 restarting") }
  end
  break if type == "drain" || (stop_at && now > stop_at)
end
$socket.close
