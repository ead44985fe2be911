/**
 * Imported forms of keys. Public ones by their bytes, at most `publicMax`, the least used go first; private
 * ones as long as the caller's array lives, so nothing secret is kept longer than its owner keeps it.
 */
export class KeyCache<Key extends object> {
  readonly #publicMax: number;
  readonly #public = new Map<string, Key>();
  readonly #private = new WeakMap<Uint8Array, Key>();

  constructor(publicMax = 2048) {
    this.#publicMax = publicMax;
  }

  /** The imported form of a public key. What `make` throws is not kept. */
  forPublic(bytes: Uint8Array, make: (bytes: Uint8Array) => Key): Key {
    const name = nameOf(bytes);
    const known = this.#public.get(name);
    if (known) {
      this.#public.delete(name);
      this.#public.set(name, known);
      return known;
    }
    const made = make(bytes);
    this.#public.set(name, made);
    if (this.#public.size > this.#publicMax) {
      const [oldest = ""] = this.#public.keys();
      this.#public.delete(oldest);
    }
    return made;
  }

  /** The imported form of a private key, for this very array, whose bytes must not change. */
  forPrivate(bytes: Uint8Array, make: (bytes: Uint8Array) => Key): Key {
    const known = this.#private.get(bytes);
    if (known) return known;
    const made = make(bytes);
    this.#private.set(bytes, made);
    return made;
  }
}

function nameOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
