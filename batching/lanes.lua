-- The atomic steps of the lanes; ARGV[1] names the step. Keys are built here, so a Redis Cluster is not supported.
--   lane:{priority}:{tenant}   stream of waiting and taken entries (i: item id, c: cost in pixels, n: channel), group `workers`
--   lanes                      set of the lanes that exist
--   ready:{priority}           ring of tenants with entries to take: tenant -> turn, the lowest turn is next
--   deficit:{priority}         what a tenant may still take in its turn, in pixels; below zero is debt
--   wake:{priority}            at most one token, for one worker that lingers
--   wake:newcomer              the same, for one that takes no more bulk work but of tenants who have none in its hand
--   workers                    worker -> when its registration ends (ms);  job:{worker}: it has an RQ job outstanding
--   senders                    process that hands off -> until when it is taken to be alive (ms)
--   epoch                      changes when Redis was emptied
-- Everything here can be lost at any moment: PostgreSQL has the truth and the reconciler puts it back.

local GROUP = 'workers'
local JOB_MS = 10000       -- a flag whose RQ enqueue was lost must not silence a worker for long
local TOKEN_MS = 60000
local LEAST_COST = 50000   -- a tiny picture costs its overhead too
local MOST_TENANTS = 128   -- tenants looked at by one take
local MOST_DEBTS = 10000   -- tenants remembered after they left the ring

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function last_turn(ring)
  return tonumber(redis.call('ZREVRANGE', ring, 0, 0, 'WITHSCORES')[2] or 0)
end

local function enter_ring(priority, tenant)
  local ring = 'ready:' .. priority
  return redis.call('ZADD', ring, 'NX', last_turn(ring) + 1, tenant) == 1
end

local function ring_bell(bell)
  if redis.call('EXISTS', 'wake:' .. bell) == 0 then
    redis.call('RPUSH', 'wake:' .. bell, '1')
    redis.call('PEXPIRE', 'wake:' .. bell, TOKEN_MS)
  end
end

-- workers -> the names of the live ones
local function live_workers()
  return redis.call('ZRANGEBYSCORE', 'workers', now_ms(), '+inf')
end

-- Names of at most `most` live workers without an outstanding job; their flags are set, so the caller must enqueue.
local function rouse(most)
  local names = {}
  for _, name in ipairs(live_workers()) do
    if #names >= most then break end
    if redis.call('SET', 'job:' .. name, '1', 'NX', 'PX', JOB_MS) then names[#names + 1] = name end
  end
  return names
end

-- put priority tenant window fresh_epoch {item cost channel}... -> {accepted, epoch, worker...}
local function put()
  local priority, tenant, window = ARGV[2], ARGV[3], tonumber(ARGV[4])
  redis.call('SET', 'epoch', ARGV[5], 'NX')
  local lane = 'lane:' .. priority .. ':' .. tenant
  local length = redis.call('XLEN', lane)
  local accepted = math.max(0, math.min((#ARGV - 5) / 3, window - length))
  local reply = {accepted, redis.call('GET', 'epoch')}
  if accepted == 0 then return reply end
  if length == 0 then
    redis.pcall('XGROUP', 'CREATE', lane, GROUP, '0', 'MKSTREAM')
    redis.call('SADD', 'lanes', lane)
  end
  for entry = 0, accepted - 1 do
    local at = 6 + 3 * entry
    redis.call('XADD', lane, '*', 'i', ARGV[at], 'c', ARGV[at + 1], 'n', ARGV[at + 2])
  end
  if enter_ring(priority, tenant) and priority == 'bulk' then ring_bell('newcomer') end
  ring_bell(priority)
  for _, name in ipairs(rouse(accepted)) do reply[#reply + 1] = name end
  return reply
end

-- The next entry of a lane for `consumer`, or nil when there is none left to take.
local function next_entry(lane, consumer)
  local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', lane, '>')
  if reply and reply.err then
    -- The group was deleted: everything still in the stream is delivered again, and the leases drop what is done.
    if redis.call('EXISTS', lane) == 0 then return nil end
    if redis.pcall('XGROUP', 'CREATE', lane, GROUP, '0').err then return nil end
    reply = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', lane, '>')
  end
  return reply and reply[1][2][1]
end

-- Debts matter while others wait, and only so many are kept.
local function forget_debts(priority)
  if redis.call('EXISTS', 'ready:' .. priority) == 0 or redis.call('HLEN', 'deficit:' .. priority) > MOST_DEBTS then
    redis.call('DEL', 'deficit:' .. priority)
  end
end

-- Deficit round robin with debt: a turn may overdraw by its last entry and pays for it in later turns.
-- room = {cost, items} is spent; one tenant gets at most `cap` of it, and those that are `held` nothing: they keep their place.
local function serve_ring(priority, consumer, room, quantum, cap, out, held)
  local ring, ledger = 'ready:' .. priority, 'deficit:' .. priority
  if room.cost <= 0 or room.items <= 0 then return end
  local tenants = {}
  for _, tenant in ipairs(redis.call('ZRANGE', ring, 0, MOST_TENANTS - 1)) do
    if not (held and held[tenant]) then tenants[#tenants + 1] = tenant end
  end
  if #tenants == 0 then return end
  local stored = redis.call('HMGET', ledger, unpack(tenants))
  local deficit, spent, gone, order = {}, {}, {}, {}
  for place, tenant in ipairs(tenants) do
    deficit[tenant], spent[tenant] = tonumber(stored[place] or 0), 0
  end
  local open, now = true, now_ms()
  while open do
    open = false
    local least_debt
    for _, tenant in ipairs(tenants) do
      if room.cost <= 0 or room.items <= 0 then open = false; least_debt = nil; break end
      if not gone[tenant] and spent[tenant] < cap then
        local lane = 'lane:' .. priority .. ':' .. tenant
        deficit[tenant] = math.min(deficit[tenant] + quantum, quantum)
        if deficit[tenant] <= 0 then
          least_debt = math.max(least_debt or deficit[tenant], deficit[tenant])
        end
        while deficit[tenant] > 0 and room.cost > 0 and room.items > 0 and spent[tenant] < cap do
          local entry = next_entry(lane, consumer)
          if not entry then gone[tenant] = true; break end
          local cost = math.max(tonumber(entry[2][4]) or 0, LEAST_COST)
          deficit[tenant], spent[tenant] = deficit[tenant] - cost, spent[tenant] + cost
          room.cost, room.items = room.cost - cost, room.items - 1
          local waited_ms = now - tonumber(string.match(entry[1], '^%d+'))
          out[#out + 1] = {lane, entry[1], entry[2][2], entry[2][4], entry[2][6], waited_ms}
          open = true
        end
        -- Whoever was stopped in the middle of a turn stays first; whoever ended it goes to the end.
        if gone[tenant] or deficit[tenant] <= 0 or spent[tenant] >= cap then order[#order + 1] = tenant end
      end
    end
    -- Everybody is in debt: let the rounds pass in which nobody could take.
    if not open and least_debt then
      local pardon = math.ceil(-least_debt / quantum) * quantum
      for _, tenant in ipairs(tenants) do deficit[tenant] = deficit[tenant] + pardon end
      open = true
    end
  end
  local turn = last_turn(ring)
  for _, tenant in ipairs(order) do
    turn = turn + 1
    if gone[tenant] then redis.call('ZREM', ring, tenant) else redis.call('ZADD', ring, turn, tenant) end
  end
  for _, tenant in ipairs(tenants) do
    if deficit[tenant] == 0 or (gone[tenant] and deficit[tenant] > 0) then redis.call('HDEL', ledger, tenant)
    else redis.call('HSET', ledger, tenant, deficit[tenant]) end
  end
  forget_debts(priority)
end

-- take consumer cost items interactive_share tenant_share quantum priorities {tenant held}... (no bulk work of those)
-- -> {{lane, entry, item, cost, channel, waited_ms}...}
local function take()
  local consumer, cost, items = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
  local share, tenant_share, quantum = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
  local fast = string.find(ARGV[8], 'interactive', 1, true)
  local slow = string.find(ARGV[8], 'bulk', 1, true)
  local out, room, none, held = {}, {cost = cost, items = items}, math.huge, {}
  for at = 9, #ARGV do held[ARGV[at]] = true end
  if fast then
    local bulk_waits = slow and redis.call('EXISTS', 'ready:bulk') == 1
    local contended = bulk_waits or redis.call('ZCARD', 'ready:interactive') > 1
    local part = bulk_waits and {cost = cost * share, items = math.max(1, math.floor(items * share))} or room
    local before = {cost = part.cost, items = part.items}
    serve_ring('interactive', consumer, part, quantum, contended and cost * tenant_share or none, out)
    if bulk_waits then
      room.cost, room.items = room.cost - (before.cost - part.cost), room.items - (before.items - part.items)
    end
  end
  if slow then serve_ring('bulk', consumer, room, quantum, none, out, held) end
  -- What bulk work left over is not wasted on a share.
  if fast then serve_ring('interactive', consumer, room, quantum, none, out) end
  -- Another worker that lingers may take what this one left.
  if redis.call('EXISTS', 'ready:interactive') == 1 then ring_bell('interactive') end
  if redis.call('EXISTS', 'ready:bulk') == 1 then ring_bell('bulk') end
  return out
end

-- settle notices {channel notice}... {lane count entry...}... -> entries removed; a lane without entries disappears
local function settle()
  local removed, at = 0, 3 + 2 * tonumber(ARGV[2])
  for notice = 3, at - 1, 2 do redis.call('PUBLISH', ARGV[notice], ARGV[notice + 1]) end
  while at <= #ARGV do
    local lane, count = ARGV[at], tonumber(ARGV[at + 1])
    local entries = {unpack(ARGV, at + 2, at + 1 + count)}
    at = at + 2 + count
    redis.pcall('XACK', lane, GROUP, unpack(entries))
    local gone = redis.pcall('XDEL', lane, unpack(entries))
    removed = removed + (type(gone) == 'number' and gone or 0)
    if redis.pcall('XLEN', lane) == 0 then
      redis.call('DEL', lane)
      redis.call('SREM', 'lanes', lane)
      local priority, tenant = string.match(lane, '^lane:(%a+):(.*)$')
      if priority then
        redis.call('ZREM', 'ready:' .. priority, tenant)
        forget_debts(priority)
      end
    end
  end
  return removed
end

-- dead idle_ms most lane... -> {{lane, entry, item, cost, channel, 0}...}: taken that long ago and not settled
local function dead()
  local out, most = {}, tonumber(ARGV[3])
  for at = 4, #ARGV do
    local lane, start = ARGV[at], '0-0'
    repeat
      local reply = redis.pcall('XAUTOCLAIM', lane, GROUP, 'reconciler', ARGV[2], start, 'COUNT', math.max(1, most - #out))
      if reply.err then break end
      for _, entry in ipairs(reply[2]) do
        out[#out + 1] = {lane, entry[1], entry[2][2], entry[2][4], entry[2][6], 0}
      end
      start = reply[1]
    until start == '0-0' or #out >= most
    if #out >= most then break end
  end
  return out
end

-- wake -> {worker...} to enqueue a job for, because work is ready and they are idle
local function wake()
  local fast, slow = redis.call('EXISTS', 'ready:interactive') == 1, redis.call('EXISTS', 'ready:bulk') == 1
  if not (fast or slow) then return {} end
  if fast then ring_bell('interactive') end
  if slow then ring_bell('bulk') end
  return rouse(math.huge)
end

-- release worker -> 1 and its flag is gone, or 0 because work is ready: then it must go on serving
local function release()
  if redis.call('EXISTS', 'ready:interactive') == 1 or redis.call('EXISTS', 'ready:bulk') == 1 then return 0 end
  redis.call('DEL', 'job:' .. ARGV[2])
  return 1
end

-- register worker ttl_ms
local function register()
  redis.call('ZADD', 'workers', now_ms() + tonumber(ARGV[3]), ARGV[2])
end

-- attend name ttl_ms
local function attend()
  redis.call('ZADD', 'senders', now_ms() + tonumber(ARGV[3]), ARGV[2])
end

-- absent -> {name, ms since its time ended}...
local function absent()
  local out, now = {}, now_ms()
  local found = redis.call('ZRANGEBYSCORE', 'senders', '-inf', now, 'WITHSCORES')
  for at = 1, #found, 2 do
    out[#out + 1] = {found[at], math.floor(now - tonumber(found[at + 1]))}
  end
  return out
end

-- since lane age_ms after most -> {{entry, item}...} that were put no longer ago than that, behind the entry `after` if there is one
local function since()
  local from = ARGV[4] ~= '' and '(' .. ARGV[4] or string.format('%d', math.max(0, now_ms() - tonumber(ARGV[3])))
  local out = {}
  for _, entry in ipairs(redis.call('XRANGE', ARGV[2], from, '+', 'COUNT', ARGV[5])) do
    out[#out + 1] = {entry[1], entry[2][2]}
  end
  return out
end

-- forget grace_ms -> {worker...} whose registration ended that long ago; they are no longer remembered
local function forget()
  local names = redis.call('ZRANGEBYSCORE', 'workers', '-inf', now_ms() - tonumber(ARGV[2]))
  for _, name in ipairs(names) do
    redis.call('ZREM', 'workers', name)
    redis.call('DEL', 'job:' .. name)
  end
  return names
end

local steps = {put = put, take = take, settle = settle, dead = dead, wake = wake, release = release,
               register = register, workers = live_workers, forget = forget, attend = attend, absent = absent,
               since = since}
return steps[ARGV[1]]()
