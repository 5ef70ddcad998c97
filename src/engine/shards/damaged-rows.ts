import type { Session } from '../database/session.js'
import { removeDamaged } from '../operations/items.js'

/** Rows whose value file is missing or too short. They are removed with the next write. */
export class DamagedRows {
  readonly #filenames = new Map<number, string>()

  note(rowid: number, filename: string): void {
    this.#filenames.set(rowid, filename)
  }

  remove(session: Session): void {
    for (const [rowid, filename] of this.#filenames) {
      removeDamaged(session, rowid, filename)
      session.afterCommit(() => {
        if (this.#filenames.get(rowid) === filename) this.#filenames.delete(rowid)
      })
    }
  }
}
