-- Makes the request that the arguments after the URL ask for (method, bytes of body), and ends
-- with one line of JSON. Times are in microseconds.

function init(args)
  wrk.method = args[1]
  local size = tonumber(args[2])
  if size > 0 then
    wrk.body = string.rep("x", size)
    wrk.headers["content-type"] = "application/octet-stream"
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
