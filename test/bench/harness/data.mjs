/**
 * The same data for all contestants, those in Python included (peers/diskcache_peer.py builds it by the same rules).
 */
export function keyAt(index) {
  return `user:${String(index).padStart(7, '0')}`
}

/** A small value: text of 100 characters, another one for each number. */
export function valueAt(number) {
  return `${String(number).padStart(10, '0')}:`.padEnd(100, 'abcdefghij')
}

export function keys(count) {
  return Array.from({ length: count }, (_, index) => keyAt(index))
}

export function values(count) {
  return Array.from({ length: count }, (_, index) => valueAt(index))
}

/**
 * Numbers below `limit` in an order which is random, but the same for all who begin with `seed`: a linear congruential
 * generator, of which the upper bits are taken.
 */
export function randomOrder(length, limit, seed) {
  const order = new Uint32Array(length)
  let state = seed >>> 0
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    order[at] = Math.floor((state * limit) / 2 ** 32)
  }
  return order
}

/** Keys that are read in random order, as a flat array, so that the timed loop does nothing but call. */
export function randomKeys(length, known, seed) {
  return Array.from(randomOrder(length, known.length, seed), at => known[at])
}

/** An object of about 300 bytes as JSON, as an application would keep of a user. */
export function objectAt(number) {
  return {
    id: number,
    name: `Ada Lovelace ${number}`,
    email: `ada.lovelace.${number}@example.org`,
    active: number % 2 === 0,
    roles: ['admin', 'editor', 'reader'],
    address: { street: '12 St James Square', city: 'London', code: 'SW1Y 4JH', country: 'GB' },
    visits: 1815 + number,
    score: 0.75,
    lastSeen: '2026-01-01T12:00:00.000Z',
    notes: 'first programmer',
  }
}
