import { describe, expect, it } from 'vitest'
import { remembered } from '../../../src/middleware/policy/remembered.js'

function counting(): { ask: (text: string) => number; asked: () => number } {
  let calls = 0
  const ask = remembered((text: string) => {
    calls++
    return text.length
  })
  return { ask, asked: () => calls }
}

describe('remembered', () => {
  it('computes what it knows but once', () => {
    const { ask, asked } = counting()
    expect([ask('ab'), ask('ab'), ask('c')]).toEqual([2, 2, 1])
    expect(asked()).toBe(2)
  })

  it('does not keep long texts', () => {
    const { ask, asked } = counting()
    const long = 'x'.repeat(257)
    expect([ask(long), ask(long)]).toEqual([257, 257])
    expect(asked()).toBe(2)
  })

  it('does not grow for ever', () => {
    const { ask, asked } = counting()
    for (let at = 0; at < 501; at++) ask(`text ${at}`)
    ask('text 500')
    expect(asked()).toBe(501)
    ask('text 0')
    expect(asked()).toBe(502)
  })
})
