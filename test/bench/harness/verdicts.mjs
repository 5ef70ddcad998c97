import { ratio } from './rounds.mjs'

/**
 * A figure against its target.
 *
 * @typedef {object} Verdict
 * @property {string} label
 * @property {number} value ratio of the medians, or what the unit says
 * @property {number} [perRound] median of the ratios of the rounds: less shaken by what else the machine does
 * @property {number} [cpu] the same ratio of processor time
 * @property {'×' | string} unit
 * @property {string} target
 * @property {boolean} met
 */

/** `of` takes at most `limit` times as long as `to`. */
export function atMost(label, of, to, limit) {
  const { ofMedians, perRound, cpu } = ratio(of, to)
  return { label, value: ofMedians, perRound, cpu, unit: '×', target: `≤ ${limit} ×`, met: ofMedians <= limit }
}

/** `of` does at least `factor` times as many operations per second as `than`. */
export function fasterThan(label, of, than, factor) {
  const { ofMedians, perRound, cpu } = ratio(than, of)
  return { label, value: ofMedians, perRound, cpu, unit: '×', target: `≥ ${factor} ×`, met: ofMedians >= factor }
}

export function absoluteAtMost(label, value, limit, unit) {
  return { label, value, unit, target: `≤ ${limit} ${unit}`, met: value <= limit }
}

export function absoluteAtLeast(label, value, limit, unit) {
  return { label, value, unit, target: `≥ ${limit} ${unit}`, met: value >= limit }
}

/** A ratio that is shown and has no target. */
export function informative(label, of, to) {
  const { ofMedians, perRound, cpu } = ratio(of, to)
  return { label, value: ofMedians, perRound, cpu, unit: '×' }
}
