-- Checks every response. With `wrk ... URL -- plain`, each must be a 200 that no rule changed. With
-- `-- broken`, each must be such a 200 or a 503 injected by a rule of the load test. Each thread counts
-- in its own variables; done() adds them up.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  may_break = args[1] == "broken"
  right, toggled, replaced, wrong = 0, 0, 0, 0
  example = ""
end

function response(status, headers, body)
  local fault = headers["x-chaos-fault"]
  if status == 200 and fault == nil then
    right = right + 1
  elseif may_break and status == 503 and fault == "toggled" then
    toggled = toggled + 1
  elseif may_break and status == 503 and fault == "replaced" then
    replaced = replaced + 1
  else
    wrong = wrong + 1
    example = status .. " by " .. tostring(fault)
  end
end

function done(summary, latency, requests)
  local sum = { right = 0, toggled = 0, replaced = 0, wrong = 0 }
  local seen = ""
  for _, thread in ipairs(threads) do
    for name in pairs(sum) do
      sum[name] = sum[name] + thread:get(name)
    end
    if thread:get("example") ~= "" then
      seen = thread:get("example")
    end
  end
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format('judged {"requests":%d,"right":%d,"toggled":%d,"replaced":%d,"wrong":%d,"lost":%d,"example":"%s"}',
    summary.requests, sum.right, sum.toggled, sum.replaced, sum.wrong, lost, seen))
end
