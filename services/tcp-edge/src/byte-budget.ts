/** Memory that many owners share, none of whom may take most of it. */
export class ByteBudget<Owner> {
  readonly #bytesMax: number;
  readonly #ownerBytesMax: number;
  readonly #taken = new Map<Owner, number>();
  #takenBytes = 0;

  constructor(bytesMax: number, ownerBytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#ownerBytesMax = ownerBytesMax;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** False, and nothing taken, where less than `bytes` is left in all or of the owner's share. */
  take(owner: Owner, bytes: number): boolean {
    const taken = (this.#taken.get(owner) ?? 0) + bytes;
    if (taken > this.#ownerBytesMax || this.#takenBytes + bytes > this.#bytesMax) return false;
    this.#taken.set(owner, taken);
    this.#takenBytes += bytes;
    return true;
  }

  give(owner: Owner, bytes: number): void {
    const left = (this.#taken.get(owner) ?? 0) - bytes;
    if (left > 0) this.#taken.set(owner, left);
    else this.#taken.delete(owner);
    this.#takenBytes -= bytes;
  }
}
