import { Deque, FanoutCache, Index, pickleCodec } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { type Python, PythonError, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, withPython } from './support.js'

const LARGE = 'both'.repeat(20_000)
const BYTES = Buffer.alloc(50_000, 7)

/** One directory as a deque of both languages; Python's is `deque`, its cache `cache`. */
async function sharedDeque(): Promise<{ deque: Deque<unknown>; python: Python }> {
  const deque = new Deque<unknown>(temporaryDirectory())
  onTestFinished(() => deque.close())
  const python = startPython()
  await deque.open()
  await python.call('keep(deque=Deque(directory=directory))', { directory: deque.directory })
  await python.call('keep(cache=deque.cache)')
  return { deque, python }
}

async function sharedIndex(): Promise<{ index: Index<unknown>; python: Python }> {
  const index = new Index<unknown>(temporaryDirectory())
  onTestFinished(() => index.close())
  const python = startPython()
  await index.open()
  await python.call('keep(index=Index(directory))', { directory: index.directory })
  await python.call('keep(cache=index.cache)')
  return { index, python }
}

withPython('a deque that Node and Python share', () => {
  it('is filled by Python and drained by Node, files included', async () => {
    const { deque, python } = await sharedDeque()
    const items = ['text', 1, 2.5, BYTES, LARGE, null, true]
    await python.call('deque.extend(items)', { items })
    expect(await deque.length()).toBe(items.length)
    expect(await collect(deque)).toEqual(items)
    expect(await deque.equals(items)).toBe(true)
    for (const item of items) expect(await deque.popLeft()).toEqual(item)
    expect(await python.call('len(deque)')).toBe(0)
    expect(valueFiles(deque.directory)).toEqual([])
    await expectClean(deque.cache, python)
  })

  it('is filled by Node and drained by Python, files included', async () => {
    const { deque, python } = await sharedDeque()
    const items = ['text', 1, 2.5, BYTES, LARGE, null, true]
    await deque.extend(items)
    expect(await python.call('len(deque)')).toBe(items.length)
    expect(await python.call('list(deque)')).toEqual(items)
    expect(await python.call('[deque[0], deque[-3]]')).toEqual(['text', LARGE])
    for (const item of [...items].reverse()) expect(await python.call('deque.pop()')).toEqual(item)
    expect(await deque.popLeft()).toBeUndefined()
    expect(valueFiles(deque.directory)).toEqual([])
    await expectClean(deque.cache, python)
  })

  it('has one order, whatever either does to it', async () => {
    const { deque, python } = await sharedDeque()
    const model = ['a', 'b', 'c', 'd', 'e', 'f', LARGE]
    await deque.extend(model)
    await deque.rotate(2)
    expect(await python.call('list(deque)')).toEqual(['f', LARGE, 'a', 'b', 'c', 'd', 'e'])
    await python.call('deque.rotate(-1)')
    await deque.reverse()
    expect(await python.call('list(deque)')).toEqual(['f', 'e', 'd', 'c', 'b', 'a', LARGE])
    await python.call('deque.reverse()')
    await python.call('deque.append("python")')
    await deque.appendLeft('node')
    expect(await collect(deque)).toEqual(['node', LARGE, 'a', 'b', 'c', 'd', 'e', 'f', 'python'])
    await python.call('deque.__delitem__(3)')
    await deque.deleteAt(-2)
    await deque.setAt(1, 'small')
    await python.call('deque.__setitem__(2, value)', { value: BYTES })
    expect(await collect(deque)).toEqual(['node', 'small', BYTES, 'c', 'd', 'e', 'python'])
    expect(await deque.at(3)).toBe('c')
    expect(await python.call('deque[3]')).toBe('c')
    await expectClean(deque.cache, python)
  })

  it('is bounded by Node whoever filled it', async () => {
    const { deque, python } = await sharedDeque()
    await python.call('deque.extend([big] * 20)', { big: LARGE })
    await deque.setMaxLength(3)
    await deque.append('last')
    expect(await python.call('list(deque)')).toEqual([LARGE, LARGE, 'last'])
    await expectClean(deque.cache, python)
  })

  it('carries containers under the pickle codec', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await python.call('Deque([{"a": (1, 2)}, [None]], directory=directory)', { directory })
    await using deque = new Deque(directory, { codec: pickleCodec })
    await deque.append({ from: 'node' })
    expect(await deque.count([null])).toBe(1)
    expect(await python.call('list(Deque(directory=directory))[2]', { directory })).toEqual({ from: 'node' })
    expect(await deque.popLeft()).toEqual({ a: [1, 2] })
  })

  it('keeps what Node has taken out of Python’s way, and in reach of both when the lease ends', async () => {
    const clock = new ManualClock()
    const deque = new Deque<unknown>(temporaryDirectory(), { clock })
    onTestFinished(() => deque.close())
    const python = startPython()
    await deque.extend([LARGE, 'b', BYTES])
    await python.call('keep(deque=Deque(directory=directory))', { directory: deque.directory })
    await python.call('keep(cache=deque.cache)')
    const first = await deque.take({ lease: '1h' })
    const last = await deque.take({ lease: '1h', side: 'back' })
    expect([first?.value, last?.value]).toEqual([LARGE, BYTES])
    expect(await python.call('deque.peekleft()')).toBe('b')
    expect(await python.call('deque.popleft()')).toBe('b')
    await expect(python.call('deque.popleft()')).rejects.toThrow(PythonError)
    await expectClean(deque.cache, python)
    await python.call('deque.append("c")')
    clock.advance(3_600_000)
    expect(await deque.peekLeft()).toBe(LARGE)
    expect(await python.call('[deque.popleft(), deque.popleft(), deque.popleft()]')).toEqual([LARGE, BYTES, 'c'])
    expect([await first?.done(), await last?.done()]).toEqual([false, false])
    await expectClean(deque.cache, python)
  })

  it('loses what is taken when Python clears it', async () => {
    const { deque, python } = await sharedDeque()
    await deque.extend(['a', 'b'])
    const item = await deque.take()
    await python.call('deque.clear()')
    expect(await item?.done()).toBe(false)
    expect(await deque.length()).toBe(0)
    await expectClean(deque.cache, python)
  })

  it('can be in a FanoutCache', async () => {
    const directory = temporaryDirectory()
    await using fanout = new FanoutCache(directory, { shards: 8, timeout: '1m' })
    const python = startPython()
    const deque = fanout.deque<unknown>('work/mail')
    await deque.append('node')
    await python.call('keep(fanout=FanoutCache(directory, shards=8, timeout=60))', { directory })
    await python.call(`fanout.deque('work/mail').append('python')`)
    expect(await collect(deque)).toEqual(['node', 'python'])
    await python.call(`fanout.deque('theirs').append('python')`)
    expect(await fanout.deque('theirs').popLeft()).toBe('python')
    const index = fanout.index('work/results')
    await index.set('node', 1)
    await python.call(`fanout.index('work/results').__setitem__('python', 2)`)
    expect(await collect(index)).toEqual([
      ['node', 1],
      ['python', 2],
    ])
    expect(await python.call(`dict(fanout.index('work/results'))`)).toEqual({ node: 1, python: 2 })
  })
})

withPython('an index that Node and Python share', () => {
  it('has one content and one order', async () => {
    const { index, python } = await sharedIndex()
    await index.setMany([
      ['a', 1],
      ['b', LARGE],
    ])
    await python.call('index.update([("c", value), ("a", 10)])', { value: BYTES })
    const entries = [
      ['a', 10],
      ['b', LARGE],
      ['c', BYTES],
    ]
    expect(await collect(index)).toEqual(entries)
    expect(await python.call('[list(item) for item in index.items()]')).toEqual(entries)
    expect(await python.call('[index.setdefault("b", 1) == index["b"], index.setdefault("d", 4)]')).toEqual([true, 4])
    expect(await index.setDefault('d', 5)).toBe(4)
    expect(await python.call('list(index.popitem())')).toEqual(['d', 4])
    expect(await index.popItem({ last: false })).toMatchObject({ key: 'a', value: 10 })
    expect(await python.call('list(index.peekitem())')).toEqual(['c', BYTES])
    expect(await index.pop('b')).toBe(LARGE)
    expect(await python.call('index.pop("c")')).toEqual(BYTES)
    expect(await index.size()).toBe(0)
    expect(valueFiles(index.directory)).toEqual([])
    await expectClean(index.cache, python)
  })

  it('has queues in its key space for both', async () => {
    const { index, python } = await sharedIndex()
    await index.push('node', { prefix: 'jobs' })
    expect(await python.call('index.push("python", prefix="jobs")')).toBe('jobs-500000000000001')
    expect(await python.call('list(index.pull(prefix="jobs"))')).toEqual(['jobs-500000000000000', 'node'])
    expect((await index.pull({ prefix: 'jobs' }))?.value).toBe('python')
  })
})

withPython('both languages at once', () => {
  it('move items through one deque, each exactly once, while it is rotated', async () => {
    const { deque, python } = await sharedDeque()
    const theirs = python.call<string[]>(`
      got = []
      for at in range(300):
          deque.append('python %d' % at if at % 10 else 'python %d' % at + '.' * 40000)
          if at % 3 == 0:
              try:
                  got.append(deque.popleft().rstrip('.'))
              except IndexError:
                  pass
      return got
    `)
    const ours: string[] = []
    for (let at = 0; at < 300; at += 1) {
      await deque.append(at % 10 ? `node ${at}` : `node ${at}`.padEnd(40_000, '.'))
      if (at % 7 === 0) await deque.rotate(at % 14 === 0 ? 2 : -3)
      const item = at % 3 === 0 ? await deque.pop() : undefined
      if (item !== undefined) ours.push(String(item).replace(/\.+$/, ''))
    }
    const got = [...(await theirs), ...ours]
    for await (const item of deque) got.push(String(item).replace(/\.+$/, ''))
    const made = Array.from({ length: 300 }, (_, at) => [`node ${at}`, `python ${at}`]).flat()
    expect(got.sort()).toEqual(made.sort())
    await expectClean(deque.cache, python)
  })

  it('agree on the entries of one index, and take each out once, while it is walked', async () => {
    const { index, python } = await sharedIndex()
    const names = Array.from({ length: 200 }, (_, at) => `key ${at}`)
    const foundThere = python.call<number[]>(
      'return [index.setdefault(name, -at - 1) for at, name in enumerate(names)]',
      {
        names,
      },
    )
    const found: unknown[] = []
    for (const [at, name] of names.entries()) found.push(await index.setDefault(name, at + 1))
    expect(found).toEqual(await foundThere)

    const gotThere = python.call<string[]>(`
      walked = [len(list(index)) for _ in range(5)]
      got = []
      while True:
          try:
              got.append(index.popitem(last=False)[0])
          except KeyError:
              return got
    `)
    await collect(index)
    const got: unknown[] = []
    for (let item = await index.popItem(); item; item = await index.popItem()) got.push(item.key)
    expect([...got, ...(await gotThere)].sort()).toEqual(names.sort())
    expect(await index.size()).toBe(0)
    await expectClean(index.cache, python)
  })
})
