/** One Keyv that uses the store, as far as the store can tell. */
export interface Owner {
  namespace: string | undefined
}

/**
 * Tracks which Keyvs use one store. Keyv sets the property `namespace` of its store in its constructor, right after it
 * adds a listener for errors, and whenever its own namespace changes. A namespace set after `on('error')` therefore
 * belongs to another Keyv, and any other is a new one of the last Keyv.
 */
export class Owners {
  readonly #owners: Owner[]
  #announced = false
  #adopted = false

  constructor(namespace: string | undefined) {
    this.#owners = [{ namespace }]
  }

  /** The last Keyv. */
  get last(): Owner {
    return this.#owners.at(-1) as Owner
  }

  get all(): readonly Owner[] {
    return this.#owners
  }

  /** Called when a listener for errors is added, possibly by a Keyv that is being created. */
  announce(): void {
    this.#announced = true
  }

  /**
   * Called when a Keyv sets its namespace.
   *
   * @param accept called before the namespace of another Keyv is accepted; throws when it is refused
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
}
