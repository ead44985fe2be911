import { toHex } from "@sotto/protocol";
import { isUnknown } from "../connection/session.ts";
import { isConnectionLoss, SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import { type AuditFault, type AuditOptions, type AuditReport, auditDirectory } from "./audit.ts";
import type { DirectoryFault } from "./directory-fault.ts";
import type { DirectoryServer } from "./directory-server.ts";
import type { DirectoryStanding } from "./directory-trust.ts";

const onlineTimeoutMs = 30_000;

/** What an audit finds that shows a false directory; the rest may be a gap or a server that is behind. */
const faultOf: Readonly<Partial<Record<AuditFault["kind"], DirectoryFault["kind"]>>> = {
  record: "bad-record",
  altered: "altered-record",
  checkpoint: "checkpoint",
  root: "fork",
  history: "fork",
};

/** This device's copy of the key directory, and whether the server is believed. */
export interface DirectoryView {
  /** Identity records. */
  readonly size: number;
  /** RFC 9162 Merkle root over them, hex. */
  readonly root: string;
  /** Whether the server is believed. */
  readonly state: DirectoryStanding;
}

/** The key directory as a person may look at it. */
export class DirectoryDesk {
  readonly #context: RoomContext;

  constructor(context: RoomContext) {
    this.#context = context;
  }

  /** This device's copy as it is now; asks nobody. */
  async view(): Promise<DirectoryView> {
    const { directory, trust } = this.#context.directory;
    const { size, root } = await directory.head();
    return { size, root: toHex(root), state: trust.standing };
  }

  /**
   * Reads the whole directory again, from the first record, as the server gives it now, and checks all of it.
   * `onProgress` hears how many of how many records are done. What is false stays known, like all that this device
   * finds out: nothing is sent any more. Rejects only where the server cannot be asked.
   */
  async audit(onProgress?: (done: number, total: number) => void): Promise<AuditReport> {
    const { directory: replica, profile, signKey, mlsKey } = this.#context;
    const keys = { sign: signKey.publicKey, mls: mlsKey.publicKey };
    const asked = { replica, profile, keys, ...(onProgress ? { onProgress } : {}) };
    const report = await this.#audit(asked);
    for (const { kind, ...found } of report.faults) {
      const known = faultOf[kind];
      if (known) await replica.trust.fail({ kind: known, ...found });
    }
    return report;
  }

  async #audit(asked: Omit<AuditOptions, "server" | "note">): Promise<AuditReport> {
    const { online, refusal, directory, signal } = this.#context;
    for (let isAgain = false; ; isAgain = true) {
      let server: DirectoryServer | undefined;
      try {
        server = await online(onlineTimeoutMs);
        return await auditDirectory({ ...asked, server });
      } catch (error) {
        // A server that finds its store altered at this very look sends its clients back.
        if (server && !isAgain && isConnectionLoss(error)) continue;
        const note = isNotLetIn(refusal()) ? await directory.note() : undefined;
        if (!note) throw error;
        using stranger = directory.notLetInServer(signal);
        return await auditDirectory({ ...asked, server: stranger, note });
      }
    }
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

/** The server does not know the device, or is found to hold another directory where its record stood. */
function isNotLetIn(refusal: Error | undefined): boolean {
  const isFork = refusal instanceof SottoClientError && refusal.code === "DIRECTORY_FORK";
  return isFork || isUnknown(refusal);
}
