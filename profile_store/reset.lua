-- Set the positions of one shard, backwards too, and break all chains: see `MendingStore.reset`.
--
-- KEYS  pos, clear, last, then the chains of all workers
-- ARGV  for each partition in a row: its name, the next offset as it should be, the next offset from now on; "" stands for none
-- Gives 1, or 0 if an offset is neither as it should be nor as it is to become: then nothing is changed.

local call = redis.call

for i = 1, #ARGV, 3 do
  local there = call('HGET', KEYS[1], ARGV[i]) or ''
  if there ~= ARGV[i + 1] and there ~= ARGV[i + 2] then return 0 end
end
for i = 4, #KEYS do
  call('DEL', KEYS[i])
end
for i = 1, #ARGV, 3 do
  call('HDEL', KEYS[3], ARGV[i])
  if ARGV[i + 2] == '' then
    call('HDEL', KEYS[1], ARGV[i])
    call('HDEL', KEYS[2], ARGV[i])
  else
    call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
return 1
