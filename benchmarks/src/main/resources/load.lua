-- The load of `./parley bench kv`, for wrk: one script for both stores, so that both are asked the
-- same questions. Arguments after `--`: API (parley | etcd), operation (write | read), number of keys,
-- bytes a value, then the nodes as host:port. Thread i speaks to node i modulo their number; keys
-- are drawn uniformly at random. Every answer that is not a success is counted.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local api, operation, size = args[1], args[2], tonumber(args[4])
  keys = tonumber(args[3])
  local nodes = {}
  for i = 5, #args do
    table.insert(nodes, args[i])
  end
  local node = nodes[number % #nodes + 1]
  local host, port = node:match("^(.*):(%d+)$")
  wrk.thread.addr = wrk.lookup(host, port)[1]
  math.randomseed(os.time() * 31 + number * 7919)

  -- Not one letter repeated, so that nothing on the way gains by compressing it.
  local letters = {}
  for i = 1, size do
    letters[i] = string.char(97 + math.random(0, 25))
  end
  local value = table.concat(letters)
  headers = { ["Host"] = node }
  if api == "etcd" then
    path = "/v2/keys/bench/%07d"
    if operation == "read" then
      path = path .. "?quorum=true"
    else
      headers["Content-Type"] = "application/x-www-form-urlencoded"
      value = "value=" .. value
    end
  else
    path = "/v1/kv/bench/%07d"
    if operation == "write" then
      headers["Content-Type"] = "application/octet-stream"
    end
  end
  method = operation == "read" and "GET" or "PUT"
  body = operation == "write" and value or nil
  bad, firstBad, firstBadBody = 0, 0, ""
end

function request()
  return wrk.format(method, path:format(math.random(0, keys - 1)), headers, body)
end

function response(status, _, text)
  if status ~= 200 and status ~= 201 then
    bad = bad + 1
    if firstBad == 0 then
      firstBad, firstBadBody = status, text:sub(1, 200)
    end
  end
end

function done(summary, latency, _)
  local failed, status, text = 0, 0, ""
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("bad")
    if thread:get("firstBad") ~= 0 then
      status, text = thread:get("firstBad"), thread:get("firstBadBody")
    end
  end
  local errors = summary.errors
  print(("RESULT requests=%d micros=%d bad=%d broken=%d p50=%d p99=%d max=%d"):format(
    summary.requests, summary.duration, failed,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
  if failed > 0 then
    print(("BAD %d %s"):format(status, (text:gsub("%s+", " "))))
  end
end
