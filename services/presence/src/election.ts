import type { PresenceLimits } from "./presence-limits.ts";

interface Peer {
  heardAtMs: number;
  ready: boolean;
}

/**
 * Which replica speaks: the ready one with the lowest id among those that are alive. During a
 * handover two may speak for a moment; that none does lasts no longer than `replicaTimeoutMs`.
 */
export class Election {
  readonly #id: string;
  readonly #limits: PresenceLimits;
  readonly #peers = new Map<string, Peer>();

  constructor(id: string, limits: PresenceLimits) {
    this.#id = id;
    this.#limits = limits;
  }

  /** A heartbeat came; one's own is ignored. */
  hear(id: string, ready: boolean, atMs: number): void {
    if (id === this.#id) return;
    const peer = this.#peers.get(id);
    if (peer) Object.assign(peer, { heardAtMs: atMs, ready });
    else if (this.#peers.size < this.#limits.replicasMax) {
      this.#peers.set(id, { heardAtMs: atMs, ready });
    }
  }

  expire(atMs: number): void {
    for (const [id, peer] of this.#peers) {
      if (atMs - peer.heardAtMs > this.#limits.replicaTimeoutMs) this.#peers.delete(id);
    }
  }

  /** Another replica is alive and holds the whole. */
  get othersReady(): boolean {
    return [...this.#peers.values()].some((peer) => peer.ready);
  }

  /** Whether this replica speaks, given that it is ready. */
  get wins(): boolean {
    return ![...this.#peers].some(([id, peer]) => peer.ready && id < this.#id);
  }
}
