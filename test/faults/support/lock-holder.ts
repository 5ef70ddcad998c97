import { join } from 'node:path'
import { FixtureProcess } from '../../helpers/child-process.js'
import { type Kind, shardsOf } from './caches.js'

const SCRIPT = new URL('../fixtures/lock-holder.mjs', import.meta.url)

/** Another process that holds the write lock of all databases of a cache, or of those named. */
export class LockHolder {
  readonly #process: FixtureProcess

  private constructor(process: FixtureProcess) {
    this.#process = process
  }

  static async start(
    kind: Kind,
    directory: string,
    shards: readonly string[] = shardsOf(kind),
    lock: 'write' | 'read' | 'exclusive' = 'write',
  ): Promise<LockHolder> {
    const databases = shards.map(shard => join(directory, shard, 'cache.db'))
    const holder = new LockHolder(new FixtureProcess(SCRIPT, { databases, lock }))
    await holder.#process.line('ready')
    return holder
  }

  /** A process that reads, and so holds up every COMMIT of a rollback journal. */
  static async reading(kind: Kind, directory: string, shards?: readonly string[]): Promise<LockHolder> {
    const holder = await LockHolder.start(kind, directory, shards, 'read')
    await holder.take()
    return holder
  }

  /** A process that writes databases with a rollback journal: nobody else can even read them. */
  static async excluding(kind: Kind, directory: string, shards?: readonly string[]): Promise<LockHolder> {
    const holder = await LockHolder.start(kind, directory, shards, 'exclusive')
    await holder.take()
    return holder
  }

  /** A process that holds the locks already. */
  static async holding(kind: Kind, directory: string, shards?: readonly string[]): Promise<LockHolder> {
    const holder = await LockHolder.start(kind, directory, shards)
    await holder.take()
    return holder
  }

  async take(): Promise<void> {
    const from = this.#process.lines.length
    this.#process.send('take')
    await this.#process.line('held', from)
  }

  /** Asks for the locks without waiting for them. */
  ask(): void {
    this.#process.send('take')
  }

  async free(): Promise<void> {
    const from = this.#process.lines.length
    this.#process.send('free')
    await this.#process.line('freed', from)
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }
}
