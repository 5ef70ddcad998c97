/** One Keyv that was given the store, as far as the store can tell. */
export interface Owner {
  namespace: string | undefined
}

/**
 * Which Keyvs use one store. Keyv tells its store a namespace by writing a property, in its constructor right after it
 * has begun to listen for errors, and whenever its own namespace is set. So a namespace that comes after `on('error')` is
 * that of a further Keyv, and any other a new one of the last.
 */
export class Owners {
  readonly #owners: Owner[]
  #announced = false

  constructor(namespace: string | undefined) {
    this.#owners = [{ namespace }]
  }

  /** The Keyv that came last. */
  get last(): Owner {
    return this.#owners.at(-1) as Owner
  }

  get all(): readonly Owner[] {
    return this.#owners
  }

  /** Somebody listens for errors: it may be a Keyv which is being made. */
  announce(): void {
    this.#announced = true
  }

  /**
   * A Keyv has told its namespace.
   *
   * @param accept asked before a further namespace is accepted; throws when it cannot be
   */
  adopt(namespace: string | undefined, accept: (others: readonly Owner[]) => void): void {
    const isFurther = this.#announced && this.#adopted
    this.#announced = false
    if (!isFurther || namespace === this.last.namespace) this.last.namespace = namespace
    else {
      accept(this.#owners)
      const known = this.#owners.findIndex(owner => owner.namespace === namespace)
      if (known >= 0) this.#owners.push(...this.#owners.splice(known, 1))
      else this.#owners.push({ namespace })
    }
    this.#adopted = true
  }

  #adopted = false
}
