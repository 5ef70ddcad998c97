import {
  Cache,
  type CacheOptions,
  type Codec,
  compressed,
  type DiskCache,
  FanoutCache,
  jsonCodec,
  type MemoryOptions,
  pickleCodec,
  structuredCodec,
} from 'fanout-cache'
import { onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** An implementation of the contract, under one codec. */
export interface Subject<C extends DiskCache = DiskCache> {
  readonly name: string
  readonly codec: CodecName
  /** Whether one database holds all entries: then listings follow the order of storing over all keys. */
  readonly single: boolean
  /** Whether readers share one value of plain data, which is frozen. */
  readonly sharesPlainData?: boolean
  /** A cache in a fresh directory, or in the one given, closed when the test has finished. */
  make(options?: CacheOptions, directory?: string | URL): C
}

export type CodecName = 'structured' | 'json' | 'pickle'

const CODECS: Readonly<Record<CodecName, Codec>> = {
  structured: structuredCodec,
  json: jsonCodec,
  pickle: pickleCodec,
}

export const CODEC_NAMES: readonly CodecName[] = ['structured', 'json', 'pickle']

/** Text that goes to a file under every codec: jsonCodec compresses, and cannot make this much smaller. */
export const LARGE: string = noise(60_000)

/** Printable text without repetition, the same each time. */
export function noise(length: number): string {
  let seed = 1
  let text = ''
  while (text.length < length) {
    seed = (seed * 48_271) % 2_147_483_647
    text += String.fromCharCode(33 + (seed % 94))
  }
  return text
}

/** Few, so that most tests put several keys into one shard and use more than one. */
export const SHARDS = 3

export function cacheSubject(codec: CodecName): Subject<Cache> {
  return {
    name: `Cache with ${codec} codec`,
    codec,
    single: true,
    make: (options, directory = temporaryDirectory()) => {
      return closing(new Cache(directory, { codec: CODECS[codec], ...options }))
    },
  }
}

export function fanoutSubject(codec: CodecName): Subject<FanoutCache> {
  return {
    name: `FanoutCache with ${codec} codec`,
    codec,
    single: false,
    make: (options, directory = temporaryDirectory()) => {
      // Other test files load the machine: a shard's lock may take longer than 10 ms without anything being wrong.
      return closing(new FanoutCache(directory, { codec: CODECS[codec], shards: SHARDS, timeout: '1m', ...options }))
    },
  }
}

/** A `Cache` that compresses whatever becomes smaller. */
export function compressedSubject(): Subject<Cache> {
  const subject = cacheSubject('structured')
  const codec = compressed({ minSize: 0 })
  return {
    ...subject,
    name: 'Cache with compressed values',
    make: (options, directory) => subject.make({ codec, ...options }, directory),
  }
}

/** The same implementation with memory in front of it. */
export function withMemory<C extends DiskCache>(subject: Subject<C>, memory: MemoryOptions): Subject<C> {
  return {
    ...subject,
    name: `${subject.name} and ${memory.mode ?? 'copy'} memory`,
    sharesPlainData: memory.mode === 'frozen',
    make: (options, directory) => subject.make({ memory, ...options }, directory),
  }
}

/** Every implementation under every codec. */
export function everySubject(): Subject[] {
  return CODEC_NAMES.flatMap(codec => [cacheSubject(codec), fanoutSubject(codec)])
}

/** A cache whose clock stands still until the test moves it. */
export function withClock<C extends DiskCache>(
  subject: Subject<C>,
  options?: CacheOptions,
): { cache: C; clock: ManualClock } {
  const clock = new ManualClock()
  return { cache: subject.make({ clock, ...options }), clock }
}

function closing<C extends DiskCache>(cache: C): C {
  // Registered after the directory, and such hooks run last first: the cache is closed before its directory goes.
  onTestFinished(() => cache.close())
  return cache
}
