-- One shard's part of a commit: all of it in one script, so that nobody sees a half and a crash leaves none.
--
-- KEYS  chain, pos, clear, due, risk, external, stages, then a state key a write, a profile key a write, a key a stage name.
--       All are declared: while a cluster moves the slot, the script is turned away before it writes.
-- ARGV  1 the chain as it should be, 2 the chain from now on, 3 its expiry in seconds, 4 the new nonce, 5 the channel,
--       6 msgpack [columns, marks, stage names], 7 the bytes of all writes in a row: cmsgpack can't unpack msgpack's bin types,
--       and an argument each would cost more than cutting them out here.
--   columns  arrays with an item a write: ids, numbers of fields, removed fields, risks or nil, stages, stages before, dues or nil,
--            external, external removed; and then two flat ones: names of fields, and the lengths in argument 7 of, for each
--            write, the nonce that it was made from, the state, and the fields' values
--   mark     {"topic/partition", next offset, clear}, the numbers as text: a Lua number is a double
-- Gives nil if the chain is another one (nothing is written), else the indexes, from 0, of the writes that conflict.

local FIXED_KEYS = 7
local UNPACK_MAX = 4000 -- of arguments in one call; even, because scores and members come in pairs

local chain, positions, clear, due, risk, external, stages = unpack(KEYS, 1, FIXED_KEYS)
local call = redis.call

if call('GET', chain) ~= ARGV[1] then
  return false
end
call('SET', chain, ARGV[2], 'EX', ARGV[3]) -- the first write: a server that refuses writes stops us here

local columns, marks, stage_names = unpack(cmsgpack.unpack(ARGV[6]))
local ids, counts, removed, risks, stage, stage_before, dues, linked, unlinked, names, lengths = unpack(columns, 1, 11)
local stage_key = {}
for i, name in ipairs(stage_names) do
  stage_key[name] = KEYS[FIXED_KEYS + 2 * #ids + i]
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

local function link_external(id, added, gone)
  for _, pair in ipairs(gone) do
    local field = escape(pair[1]) .. ':' .. escape(pair[2])
    if call('HGET', external, field) == id then call('HDEL', external, field) end -- it may be another's by now
  end
  for _, pair in ipairs(added) do
    call('HSET', external, escape(pair[1]) .. ':' .. escape(pair[2]), id)
  end
end

local bytes, cursor, piece = ARGV[7], 1, 0 -- where the next piece begins, and the number of the last

local function take()
  piece = piece + 1
  local first = cursor
  cursor = first + lengths[piece]
  return string.sub(bytes, first, cursor - 1)
end

local function skip(pieces)
  for _ = 1, pieces do
    piece = piece + 1
    cursor = cursor + lengths[piece]
  end
end

local conflicts, changed = {}, {}
local due_set, due_gone, risk_set, risk_gone = {}, {}, {}, {}
local field = 0 -- the number of the last name

local function write_fields(id, profile, field_count)
  local arguments, version = {}, nil
  for i = field + 1, field + field_count do
    local value = take()
    push(arguments, names[i], value)
    if names[i] == 'version' then version = tonumber(value) end
  end
  call_many('HSET', profile, arguments)
  if version then changed[#changed + 1] = {id, version} end
end

local function write(i, id)
  local profile = KEYS[FIXED_KEYS + #ids + i]
  call('SET', KEYS[FIXED_KEYS + i], ARGV[4] .. take())
  write_fields(id, profile, counts[i])
  call_many('HDEL', profile, removed[i])
  if dues[i] then push(due_set, dues[i], id) else due_gone[#due_gone + 1] = id end
  if risks[i] then push(risk_set, risks[i], id) else risk_gone[#risk_gone + 1] = id end
  if stage[i] ~= stage_before[i] then move_stage(id, stage_before[i], stage[i]) end
  link_external(id, linked[i], unlinked[i])
end

for i, id in ipairs(ids) do
  if call('GETRANGE', KEYS[FIXED_KEYS + i], 0, 7) == take() then
    write(i, id)
  else
    conflicts[#conflicts + 1] = i - 1
    skip(1 + counts[i])
  end
  field = field + counts[i]
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
