import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import type { Clock } from "@sotto/clock";

export interface ReplicasOptions {
  readonly host: string;
  readonly clock: Clock;
  /** Addresses of a name; default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

const resolvedForMs = 2000;
const avoidedForMs = 5000;

/**
 * The media services behind one name. Each object has a first choice among them, the same on every edge, so that its
 * pieces meet in one place; one that did not answer is asked last for a while.
 */
export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #avoided = new Map<string, number>();
  #resolved: { readonly at: number; readonly addresses: Promise<readonly string[]> } | undefined;

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** Addresses in the order in which to ask them for an object. Rejects where the name leads nowhere. */
  async for(object: string): Promise<readonly string[]> {
    const addresses = await this.#addresses();
    const now = this.#options.clock.monotonic();
    for (const [address, until] of this.#avoided) if (until <= now) this.#avoided.delete(address);
    const ranked = addresses
      .map((address) => ({ address, rank: rankOf(object, address) }))
      .sort((one, other) => (one.rank < other.rank ? -1 : 1))
      .map(({ address }) => address);
    return [
      ...ranked.filter((address) => !this.#avoided.has(address)),
      ...ranked.filter((address) => this.#avoided.has(address)),
    ];
  }

  /** It did not answer. */
  avoid(address: string): void {
    this.#avoided.set(address, this.#options.clock.monotonic() + avoidedForMs);
    this.#resolved = undefined;
  }

  #addresses(): Promise<readonly string[]> {
    const { clock, host, resolve = resolveAll } = this.#options;
    const at = clock.monotonic();
    if (this.#resolved && at - this.#resolved.at < resolvedForMs) return this.#resolved.addresses;
    const resolving = { at, addresses: resolve(host) };
    this.#resolved = resolving;
    resolving.addresses.catch(() => {
      if (this.#resolved === resolving) this.#resolved = undefined;
    });
    return resolving.addresses;
  }
}

async function resolveAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Rendezvous hashing: each object ranks the addresses in an order of its own. */
function rankOf(object: string, address: string): string {
  return createHash("sha256").update(`${object}/${address}`).digest("hex");
}
