/**
 * Every step that must be atomic, as Lua. KEYS[1] is the prefix under which everything lies; one Redis (or one
 * primary with replicas) holds it all, so keys may be derived from it.
 */
export const scripts = {
  /** ARGV: bytes, user, chainSequence, claimName, redeemInvite, expectEmpty, now. */
  append: `
    local p = KEYS[1]
    local size = redis.call('LLEN', p .. 'records')
    if ARGV[6] == '1' and size > 0 then return {'NOT_EMPTY'} end
    local length = tonumber(redis.call('HGET', p .. 'chains', ARGV[2]) or '0')
    if length ~= tonumber(ARGV[3]) then return {'CHAIN_CONFLICT'} end
    if ARGV[4] ~= '' and redis.call('HEXISTS', p .. 'names', ARGV[4]) == 1 then return {'NAME_TAKEN'} end
    if ARGV[5] ~= '' then
      local invite = p .. 'invite:' .. ARGV[5]
      if redis.call('EXISTS', invite) == 0 then return {'INVITE_UNKNOWN'} end
      local expires = tonumber(redis.call('HGET', invite, 'expiresAt'))
      if expires ~= 0 and expires < tonumber(ARGV[7]) then return {'INVITE_EXPIRED'} end
      if tonumber(redis.call('HGET', invite, 'usesLeft')) < 1 then return {'INVITE_USED'} end
      redis.call('HINCRBY', invite, 'usesLeft', -1)
    end
    redis.call('RPUSH', p .. 'records', ARGV[1])
    redis.call('HINCRBY', p .. 'chains', ARGV[2], 1)
    if ARGV[4] ~= '' then redis.call('HSET', p .. 'names', ARGV[4], ARGV[2]) end
    return {'OK', size}`,
  /** ARGV: tokenHash, createdBy, createdAt, expiresAt, usesLeft, grants. */
  putInvite: `
    local p = KEYS[1]
    redis.call('HSET', p .. 'invite:' .. ARGV[1], 'createdBy', ARGV[2], 'createdAt', ARGV[3],
      'expiresAt', ARGV[4], 'usesLeft', ARGV[5], 'grants', ARGV[6])
    redis.call('ZADD', p .. 'invites', ARGV[3], ARGV[1])
    return 1`,
  /** ARGV: tokenHash. */
  deleteInvite: `
    local p = KEYS[1]
    redis.call('ZREM', p .. 'invites', ARGV[1])
    return redis.call('DEL', p .. 'invite:' .. ARGV[1])`,
  listInvites: `
    local found = {}
    for _, hash in ipairs(redis.call('ZRANGE', KEYS[1] .. 'invites', 0, -1)) do
      found[#found + 1] = {hash, redis.call('HGETALL', KEYS[1] .. 'invite:' .. hash)}
    end
    return found`,
  /** ARGV: device, packagesMax, package... */
  addKeyPackages: `
    local key = KEYS[1] .. 'packages:' .. ARGV[1]
    local count = redis.call('LLEN', key)
    for i = 3, #ARGV do
      if count >= tonumber(ARGV[2]) then break end
      redis.call('RPUSH', key, ARGV[i])
      count = count + 1
    end
    return count`,
  /** ARGV: device. */
  claimKeyPackage: `
    local package = redis.call('LPOP', KEYS[1] .. 'packages:' .. ARGV[1])
    if package then return {package, 'one-time'} end
    local last = redis.call('GET', KEYS[1] .. 'last-resort:' .. ARGV[1])
    if last then return {last, 'last-resort'} end
    return {}`,
  /** ARGV: room, foldedTo, bytes, user... */
  putRoster: `
    local p = KEYS[1]
    local roster = p .. 'roster:' .. ARGV[1]
    local members = p .. 'members:' .. ARGV[1]
    local folded = redis.call('HGET', roster, 'foldedTo')
    if folded and tonumber(folded) >= tonumber(ARGV[2]) then return 0 end
    for _, user in ipairs(redis.call('SMEMBERS', members)) do redis.call('SREM', p .. 'rooms:' .. user, ARGV[1]) end
    redis.call('DEL', members)
    redis.call('HSET', roster, 'foldedTo', ARGV[2], 'bytes', ARGV[3])
    for i = 4, #ARGV do
      redis.call('SADD', members, ARGV[i])
      redis.call('SADD', p .. 'rooms:' .. ARGV[i], ARGV[1])
    end
    return 1`,
  /** ARGV: room. Absent values are told as false. */
  getRoster: `
    local fields = redis.call('HMGET', KEYS[1] .. 'roster:' .. ARGV[1], 'foldedTo', 'bytes')
    return {fields[1], fields[2], redis.call('SMEMBERS', KEYS[1] .. 'members:' .. ARGV[1])}`,
  /** ARGV: room. */
  deleteRoster: `
    local p = KEYS[1]
    local members = p .. 'members:' .. ARGV[1]
    for _, user in ipairs(redis.call('SMEMBERS', members)) do redis.call('SREM', p .. 'rooms:' .. user, ARGV[1]) end
    redis.call('DEL', members, p .. 'roster:' .. ARGV[1])
    return 1`,
  /** ARGV: channel, owner, now, expiresAt, ownedMax, allMax. */
  openMailbox: `
    local p = KEYS[1]
    local all = p .. 'mailboxes'
    local owned = p .. 'mailboxes:' .. ARGV[2]
    redis.call('ZREMRANGEBYSCORE', all, '-inf', ARGV[3])
    redis.call('ZREMRANGEBYSCORE', owned, '-inf', ARGV[3])
    local mailbox = p .. 'mailbox:' .. ARGV[1]
    local standing = redis.call('HMGET', mailbox, 'owner', 'expiresAt')
    if standing[1] and tonumber(standing[2]) > tonumber(ARGV[3]) then
      if standing[1] == ARGV[2] then return 'OPEN' end
      return 'TAKEN'
    end
    if redis.call('ZCARD', all) >= tonumber(ARGV[6]) then return 'FULL' end
    if redis.call('ZCARD', owned) >= tonumber(ARGV[5]) then return 'FULL' end
    local lifetime = tonumber(ARGV[4]) - tonumber(ARGV[3])
    redis.call('DEL', mailbox)
    redis.call('HSET', mailbox, 'owner', ARGV[2], 'expiresAt', ARGV[4])
    redis.call('PEXPIRE', mailbox, lifetime)
    redis.call('ZADD', all, ARGV[4], ARGV[1])
    redis.call('ZADD', owned, ARGV[4], ARGV[1])
    redis.call('PEXPIRE', owned, lifetime)
    return 'OPEN'`,
  /** ARGV: channel, number, bytes, now. */
  putMail: `
    local mailbox = KEYS[1] .. 'mailbox:' .. ARGV[1]
    local expires = redis.call('HGET', mailbox, 'expiresAt')
    if not expires or tonumber(expires) <= tonumber(ARGV[4]) then return 'UNKNOWN' end
    local field = 'mail:' .. ARGV[2]
    if redis.call('HSETNX', mailbox, field, ARGV[3]) == 1 then return 'DONE' end
    if redis.call('HGET', mailbox, field) == ARGV[3] then return 'DONE' end
    return 'CONFLICT'`,
  /** ARGV: channel, number, now. Nothing where there is no such mailbox. */
  getMail: `
    local fields = redis.call('HMGET', KEYS[1] .. 'mailbox:' .. ARGV[1], 'expiresAt', 'mail:' .. ARGV[2])
    if not fields[1] or tonumber(fields[1]) <= tonumber(ARGV[3]) then return false end
    return fields[2] or ''`,
} as const;
