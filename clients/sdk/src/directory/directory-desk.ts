import { toHex } from "@sotto/protocol";
import type { SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { DirectoryFault } from "./directory-fault.ts";
import type { DirectoryStanding } from "./directory-trust.ts";

/** This device's copy of the key directory, and whether the server is believed. */
export interface DirectoryView {
  /** Identity records. */
  readonly size: number;
  /** RFC 9162 Merkle root over them, hex. */
  readonly root: string;
  readonly state: DirectoryStanding;
}

/** The key directory as a person may look at it. */
export class DirectoryDesk {
  readonly #context: RoomContext;

  constructor(context: RoomContext) {
    this.#context = context;
  }

  async view(): Promise<DirectoryView> {
    const { directory, trust } = this.#context.directory;
    const { size, root } = await directory.head();
    return { size, root: toHex(root), state: trust.standing };
  }

  /** What shows that the directory is false, where something does. */
  get fault(): DirectoryFault | undefined {
    return this.#context.directory.trust.fault;
  }

  /** Why this device sends nothing now, where it does not. */
  get refusal(): SottoClientError | undefined {
    return this.#context.directory.refusal();
  }
}
