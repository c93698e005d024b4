-- What wrk asks, by the words after `--`:
--   fields N           N request header fields, the same in every request
--   varied N           the same with values and a target that are new in every request
--   post BYTES         a body of so many bytes
--   close              each connection serves one request
--   hosts N            www0.example to wwwN-1.example in turn
-- At the end one line of JSON.

local browser = {
  {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
  {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
  {"Accept-Language", "en-US,en;q=0.5"},
  {"Accept-Encoding", "gzip, deflate, br, zstd"},
  {"Referer", "http://www.example/catalogue?page=3"},
  {"Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"},
  {"Connection", "keep-alive"},
  {"Sec-Fetch-Dest", "document"},
  {"Sec-Fetch-Mode", "navigate"},
  {"Sec-Fetch-Site", "same-origin"},
  {"Priority", "u=0, i"},
}

local function take_fields(count)  -- Host is one of them
  for number = 1, count - 1 do wrk.headers[browser[number][1]] = browser[number][2] end
end

local number = 0

local function vary(count)
  take_fields(count)
  local headers = wrk.headers
  function request()
    number = number + 1
    headers["User-Agent"] = "client/" .. number
    if count > 2 then
      headers["Referer"] = "http://www.example/catalogue?page=" .. number
      headers["Cookie"] = "session=" .. string.format("%032x", number) .. "; theme=dark"
    end
    return wrk.format("GET", "/item?number=" .. number)
  end
end

local function take_hosts(count)
  function request()
    number = number + 1
    wrk.headers["Host"] = "www" .. (number * 7919) % count .. ".example"
    return wrk.format("GET", "/")
  end
end

function init(arguments)
  local kind, count = arguments[1], tonumber(arguments[2])
  if kind == "fields" then take_fields(count)
  elseif kind == "varied" then vary(count)
  elseif kind == "hosts" then take_hosts(count)
  elseif kind == "close" then wrk.headers["Connection"] = "close"
  elseif kind == "post" then
    wrk.method, wrk.body = "POST", string.rep("x", count)
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"units": %d, "seconds": %.6f, "errors": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
