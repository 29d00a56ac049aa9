-- Makes the request that the arguments after the URL ask for (method, file with the body or -,
-- requests in one write, then names and values of headers), and ends with one line of JSON.
-- Times are in microseconds.

function init(args)
  wrk.method = args[1]
  if args[2] ~= "-" then
    local file = assert(io.open(args[2], "rb"))
    wrk.body = file:read("*a")
    file:close()
  end
  for at = 4, #args - 1, 2 do
    wrk.headers[args[at]] = args[at + 1]
  end
  local pipelined = tonumber(args[3])
  if pipelined > 1 then
    local requests = string.rep(wrk.format(), pipelined)
    -- wrk calls it for each write, and makes the one request by itself where there is none.
    request = function() return requests end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"errors":'
      .. '{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
