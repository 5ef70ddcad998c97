import { Inject, Injectable } from '@nestjs/common'
import { ModuleRef } from '@nestjs/core'
import { type DiskCache, ReadonlyError } from '../engine/index.js'
import { checkOptionNames, checkOptionsObject } from '../engine/option-names.js'
import { ownRequire } from '../engine/own-place.js'
import { type Duration, milliseconds } from '../engine/time.js'
import { getCacheHostToken } from './cache.tokens.js'
import type { CacheHost } from './cache-host.js'

/** The result of a health check of Terminus for one key. */
export type DiskCacheHealth<Key extends string = string> = Record<Key, DiskCacheStatus>

/** What a health check of Terminus tells of a cache. */
export interface DiskCacheStatus {
  /** Whether the cache can be read and written. */
  readonly status: 'up' | 'down'
  /** Why it is down. */
  readonly message?: string
  /** Entries, including expired ones that were not removed yet. Present when it is up. */
  readonly count?: number
  /** Bytes on disk. Present when it is up. */
  readonly volume?: number
}

/** Options of `isHealthy`. */
export interface DiskCacheHealthOptions {
  /** The `name` of the registration. @default the one without a name */
  readonly name?: string | undefined
  /** The longest wait for the locks of the databases. @default '1s' */
  readonly timeout?: Duration | undefined
}

const OPTIONS = new Set(['name', 'timeout'])

/**
 * Reports to Terminus whether the cache can be read and written. It works with versions 10, 11 and 12 and loads none.
 *
 * @example
 * this.health.check([() => this.diskCache.isHealthy('cache')])
 */
export class DiskCacheHealthIndicator {
  readonly #modules: ModuleRef

  /** Nest makes it. @param modules finds the registration to check */
  constructor(modules: ModuleRef) {
    this.#modules = modules
  }

  /**
   * Checks the cache. The result is up with the number of entries and the bytes on disk, or down with a message. It
   * takes the write locks and writes nothing.
   *
   * @throws the error by which Terminus 10 recognises that something is down; TypeError for unknown options, TypeError or
   *   RangeError for a wrong timeout; that of Nest when no cache of the name is registered
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: DiskCacheHealthOptions = {},
  ): Promise<DiskCacheHealth<Key>> {
    checkOptionsObject(options, 'isHealthy')
    checkOptionNames(options, OPTIONS, 'isHealthy')
    const timeout = milliseconds(options.timeout ?? '1s', 'timeout')
    const { cache } = this.#hostOf(options.name)
    try {
      if (!(await isWritten(cache, timeout))) {
        return down(key, `the databases in ${cache.directory} were locked by others for ${timeout} ms`)
      }
      const { count, volume } = await cache.stats()
      return { [key]: { status: 'up', count, volume } } as DiskCacheHealth<Key>
    } catch (error) {
      return down(key, error instanceof Error ? error.message : String(error))
    }
  }

  /** Finds the host of a registration. */
  #hostOf(name: string | undefined): CacheHost {
    const token = getCacheHostToken(name)
    try {
      return this.#modules.get<CacheHost>(token)
    } catch {
      return this.#modules.get<CacheHost>(token, { strict: false })
    }
  }
}

Injectable()(DiskCacheHealthIndicator)
Inject(ModuleRef)(DiskCacheHealthIndicator, undefined, 0)

/** Whether the write locks could be taken in time. A readonly cache is healthy when it can be read. */
async function isWritten(cache: DiskCache, timeout: number): Promise<boolean> {
  try {
    return (await cache.transact(() => true, { timeout })) ?? false
  } catch (error) {
    if (error instanceof ReadonlyError) return true
    throw error
  }
}

function down<Key extends string>(key: Key, message: string): DiskCacheHealth<Key> {
  const result = { [key]: { status: 'down', message } } as DiskCacheHealth<Key>
  if (terminusMajor() !== 10) return result
  // Version 10 ignores the status and treats every result as up, so it needs an error.
  throw Object.assign(new Error(message), { isHealthCheckError: true, causes: result })
}

function terminusMajor(): number | undefined {
  try {
    const manifest: unknown = ownRequire()('@nestjs/terminus/package.json')
    return Number.parseInt((manifest as { readonly version: string }).version, 10)
  } catch {
    return undefined
  }
}
