-- Keeps a request or connection while `hold_until` (epoch milliseconds) lies ahead, but never longer than the cap.
-- The random sleep spreads the release: over 35 ms.
local cut = Map.new("/etc/haproxy/bmswitch/cut.map", Map._str)
local CAP_MS = 10000

local function now_ms()
  local now = core.now()
  return now.sec * 1000 + math.floor(now.usec / 1000)
end

local function hold(_)
  local began = now_ms()
  while true do
    local now = now_ms()
    local hold_until = tonumber(cut:lookup("hold_until")) or 0
    if now >= hold_until or now - began >= CAP_MS then
      return
    end
    core.msleep(math.min(math.random(15, 35), began + CAP_MS - now))
  end
end

core.register_action("hold", { "tcp-req", "http-req" }, hold, 0)
