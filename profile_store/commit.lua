-- One shard's part of a commit: all of it in one script, so that nobody sees a half and a crash leaves none.
--
-- KEYS  chain, pos, clear, last, due, risk, external, stages, tags, then a state key a write, a profile key a write, a key a stage
--       name, a key a tag.
--       All are declared: while a cluster moves the slot, the script is turned away before it writes.
-- ARGV  1 the chain as it should be, 2 the chain from now on, 3 its expiry in seconds, 4 the channel,
--       5 msgpack [ids, field counts, risks or nil, dues or nil, rare, field names, lengths, marks, stage names, tags],
--       6 the bytes of all writes in a row, cut by the lengths: for each write the nonce that it was made from, the state to store
--       (behind its new nonce), and the fields' values. cmsgpack can't unpack msgpack's bin types, and an argument each costs more.
--   ids to dues have an item a write; names and lengths are flat.
--   rare  {write, removed fields, external, external removed, stage before, stage, stages left, tags got, tags lost},
--         for the writes that have any
--   mark  {"topic/partition", next offset, clear, last record or ""}, the numbers as text: a Lua number is a double
-- Gives nil if the chain is another one (nothing is written), else the indexes, from 0, of the writes that conflict.
--
-- What costs here is making strings: Redis's Lua hashes every byte of each.

local FIXED_KEYS = 9
local NONCE_BYTES = 8
local UNPACK_MAX = 4000 -- of arguments in one call; even, because scores and members come in pairs
local call = redis.call

local chain, positions, clear, last, due, risk, external, stages, tags = unpack(KEYS, 1, FIXED_KEYS)
if call('GET', chain) ~= ARGV[1] then
  return false
end
call('SET', chain, ARGV[2], 'EX', ARGV[3]) -- the first write: a server that refuses writes stops us here

local ids, counts, risks, dues, rare, names, lengths, marks, stage_names, tag_names = unpack(cmsgpack.unpack(ARGV[5]))
local stage_key, tag_key, rare_of = {}, {}, {}
for i, name in ipairs(stage_names) do
  stage_key[name] = KEYS[FIXED_KEYS + 2 * #ids + i]
end
for i, name in ipairs(tag_names) do
  tag_key[name] = KEYS[FIXED_KEYS + 2 * #ids + #stage_names + i]
end
for _, change in ipairs(rare) do
  rare_of[change[1]] = change
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

local function external_field(pair)
  local function escape(text) -- encodeURIComponent
    return (string.gsub(text, "[^A-Za-z0-9%-_.!~*'()]", function(byte) return string.format('%%%02X', string.byte(byte)) end))
  end
  return escape(pair[1]) .. ':' .. escape(pair[2])
end

local function write_rare(id, profile, change)
  local _, removed, linked, unlinked, before, after, left, got, lost = unpack(change)
  call_many('HDEL', profile, removed)
  for _, pair in ipairs(unlinked) do
    local field = external_field(pair)
    if call('HGET', external, field) == id then call('HDEL', external, field) end -- it may be another's by now
  end
  for _, pair in ipairs(linked) do
    call('HSET', external, external_field(pair), id)
  end
  for _, tag in ipairs(lost) do call('SREM', tag_key[tag], id) end
  for _, tag in ipairs(got) do
    call('SADD', tag_key[tag], id)
    call('SADD', tags, tag)
  end
  for _, stage in ipairs(left) do call('SREM', stage_key[stage], id) end
  if before == after then return end
  if before ~= '' then call('SREM', stage_key[before], id) end
  if after ~= '' then
    call('SADD', stage_key[after], id)
    call('SADD', stages, after)
  end
end

local bytes, cursor, piece = ARGV[6], 1, 0 -- where the next piece begins, and the number of the last

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

local function json_text(id)
  return string.find(id, '[%c"\\]') and cjson.encode(id) or '"' .. id .. '"'
end

local function write_fields(id, profile, count)
  local arguments = {}
  for i = field + 1, field + count do
    local value = take()
    push(arguments, names[i], value)
    if names[i] == 'version' then changed[#changed + 1] = '[' .. json_text(id) .. ',' .. value .. ']' end
  end
  call_many('HSET', profile, arguments)
end

for i, id in ipairs(ids) do
  local state, profile = KEYS[FIXED_KEYS + i], KEYS[FIXED_KEYS + #ids + i]
  if call('GETRANGE', state, 0, 7) == take() then
    local stored = take()
    if #stored > NONCE_BYTES then
      call('SET', state, stored)
      write_fields(id, profile, counts[i])
    else -- a nonce and no state: the profile is removed
      call('DEL', state, profile)
    end
    if rare_of[i] then write_rare(id, profile, rare_of[i]) end
    if dues[i] then push(due_set, dues[i], id) else due_gone[#due_gone + 1] = id end
    if risks[i] then push(risk_set, risks[i], id) else risk_gone[#risk_gone + 1] = id end
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

local function forward(key, name, value) -- as text: exact for whole numbers of any size. Gives what was stored if it moved
  local stored = call('HGET', key, name) or ''
  if #value < #stored or (#value == #stored and value <= stored) then return nil end
  call('HSET', key, name, value)
  return stored
end

if #conflicts == 0 then -- a position claims that every state contains all before it
  for _, mark in ipairs(marks) do
    local name, offset, clear_ms, record = unpack(mark)
    local before = forward(positions, name, offset)
    if before and record ~= '' then
      call('HSET', last, name, record)
    elseif before == '' then
      call('HDEL', last, name) -- of positions that somebody has removed
    end
    forward(clear, name, clear_ms)
  end
end
if #changed > 0 then call('PUBLISH', ARGV[4], '[' .. table.concat(changed, ',') .. ']') end
return conflicts
