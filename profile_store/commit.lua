-- One shard's part of a commit: all of it in one script, so that nobody sees a half and a crash leaves none.
--
-- KEYS  chain, pos, clear, due, risk, external, stages, then a state key a write, a profile key a write, a key a stage name.
--       All are declared: while a cluster moves the slot, the script is turned away before it writes.
-- ARGV  1 the chain as it should be, 2 the chain from now on, 3 its expiry in seconds, 4 the new nonce, 5 the channel,
--       6 msgpack [heads, marks, stage names]; then for each write its nonce, its state and the values of its fields.
--       Bytes travel as arguments because cmsgpack can't unpack msgpack's bin types.
--   head  {id, field names, removed fields, risk or nil, stage, stage before, due or nil, external, external removed}
--   mark  {"topic/partition", next offset, clear}, the numbers as text: a Lua number is a double.
-- Gives nil if the chain is another one (nothing is written), else the indexes, from 0, of the writes that conflict.

local ID, NAMES, REMOVED, RISK, STAGE, STAGE_BEFORE, DUE, EXTERNAL, EXTERNAL_REMOVED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local FIXED_KEYS, FIXED_ARGS = 7, 6
local UNPACK_MAX = 4000 -- of arguments in one call; even, because scores and members come in pairs

local chain, positions, clear, due, risk, external, stages = unpack(KEYS, 1, FIXED_KEYS)
local call = redis.call

if call('GET', chain) ~= ARGV[1] then
  return false
end
call('SET', chain, ARGV[2], 'EX', ARGV[3]) -- the first write: a server that refuses writes stops us here

local heads, marks, names = unpack(cmsgpack.unpack(ARGV[6]))
local stage_key = {}
for i, stage in ipairs(names) do
  stage_key[stage] = KEYS[FIXED_KEYS + 2 * #heads + i]
end

local function call_many(command, key, arguments)
  for first = 1, #arguments, UNPACK_MAX do
    call(command, key, unpack(arguments, first, math.min(first + UNPACK_MAX - 1, #arguments)))
  end
end

local function push(list, a, b)
  local n = #list
  list[n + 1] = a
  list[n + 2] = b
end

local function escape(text) -- encodeURIComponent
  return (string.gsub(text, "[^A-Za-z0-9%-_.!~*'()]", function(byte) return string.format('%%%02X', string.byte(byte)) end))
end

local function move_stage(id, before, after)
  if before ~= '' then call('SREM', stage_key[before], id) end
  if after ~= '' then
    call('SADD', stage_key[after], id)
    call('SADD', stages, after)
  end
end

local function link_external(id, added, removed)
  for _, pair in ipairs(removed) do
    local field = escape(pair[1]) .. ':' .. escape(pair[2])
    if call('HGET', external, field) == id then call('HDEL', external, field) end -- it may be another's by now
  end
  for _, pair in ipairs(added) do
    call('HSET', external, escape(pair[1]) .. ':' .. escape(pair[2]), id)
  end
end

local nonce = ARGV[4]
local conflicts, changed = {}, {}
local due_set, due_gone, risk_set, risk_gone = {}, {}, {}, {}

local function write(i, head, first) -- first: the index of the write's own arguments
  local id, fields = head[ID], head[NAMES]
  local profile = KEYS[FIXED_KEYS + #heads + i]
  call('SET', KEYS[FIXED_KEYS + i], nonce .. ARGV[first + 1])
  if #fields > 0 then
    local arguments, version = {}, nil
    for j, name in ipairs(fields) do
      local value = ARGV[first + 1 + j]
      push(arguments, name, value)
      if name == 'version' then version = tonumber(value) end
    end
    call_many('HSET', profile, arguments)
    if version then changed[#changed + 1] = {id, version} end
  end
  call_many('HDEL', profile, head[REMOVED])
  if head[DUE] then push(due_set, head[DUE], id) else due_gone[#due_gone + 1] = id end
  if head[RISK] then push(risk_set, head[RISK], id) else risk_gone[#risk_gone + 1] = id end
  if head[STAGE] ~= head[STAGE_BEFORE] then move_stage(id, head[STAGE_BEFORE], head[STAGE]) end
  link_external(id, head[EXTERNAL], head[EXTERNAL_REMOVED])
end

local argument = FIXED_ARGS + 1
for i, head in ipairs(heads) do
  if call('GETRANGE', KEYS[FIXED_KEYS + i], 0, 7) == ARGV[argument] then
    write(i, head, argument)
  else
    conflicts[#conflicts + 1] = i - 1
  end
  argument = argument + 2 + #head[NAMES]
end

call_many('ZADD', due, due_set)
call_many('ZREM', due, due_gone)
call_many('ZADD', risk, risk_set)
call_many('ZREM', risk, risk_gone)

local function forward(key, field, value) -- as text: exact for whole numbers of any size
  local stored = call('HGET', key, field)
  if not stored or #value > #stored or (#value == #stored and value > stored) then call('HSET', key, field, value) end
end

if #conflicts == 0 then -- a position claims that every state contains all before it
  for _, mark in ipairs(marks) do
    forward(positions, mark[1], mark[2])
    forward(clear, mark[1], mark[3])
  end
end
if #changed > 0 then call('PUBLISH', ARGV[5], cjson.encode(changed)) end
return conflicts
