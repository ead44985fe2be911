import type { Clock } from "@sotto/clock";
import type { Checkpoint } from "@sotto/identity";
import { toHex, toSafeNumber } from "@sotto/protocol";
import type { DirectoryHead } from "@sotto/protocol/content";
import { equalBytes } from "../bytes.ts";
import { isConnectionLoss, mayPass } from "../errors.ts";
import type { HeadBearer } from "./directory-fault.ts";
import type { DirectoryReplica } from "./directory-replica.ts";
import type { DirectoryServer } from "./directory-server.ts";

/** Heads that were found to agree, so that the same one is not judged with every message. */
const agreedMax = 1024;
/** Heads that wait to be judged; a sender says its head with every message. */
const waitingMax = 256;

/** A server that answers nothing for this long holds back what it was asked for. */
const patienceMs = 5_000;
/**
 * A server that fails to answer so often in a row, each time with the connection cut or another excuse, holds back
 * too. An honest one is rid of the question after the first time: a login reads all that there is.
 */
const failuresMax = 3;

interface Heard {
  readonly head: Checkpoint;
  readonly by: HeadBearer;
}

/**
 * Holds the directory heads in members' messages against this device's own copy: a server that shows two
 * directories to two people is found out by those two. Works beside the messages, and waits for no one.
 */
export class HeadGossip {
  readonly #replica: DirectoryReplica;
  readonly #online: () => Promise<DirectoryServer>;
  readonly #notice: (room: string, text: string) => void;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #agreed = new Set<string>();
  readonly #waiting = new Map<string, Heard>();
  readonly #accused = new Set<string>();
  /** The one that agreed last: nearly every message says it again. */
  #last: Checkpoint | undefined;
  #running: Promise<void> | undefined;
  /** Questions in a row that were not answered, each for a reason that may be honest. */
  #failures = 0;

  constructor(options: {
    readonly replica: DirectoryReplica;
    /** The logged-in connection, waited for. */
    readonly online: () => Promise<DirectoryServer>;
    readonly notice: (room: string, text: string) => void;
    readonly clock: Clock;
    /** Aborts when the client is closed. */
    readonly signal: AbortSignal;
  }) {
    this.#replica = options.replica;
    this.#online = options.online;
    this.#notice = options.notice;
    this.#clock = options.clock;
    this.#signal = options.signal;
  }

  /** A member's message said this of the directory. */
  hear(said: DirectoryHead | undefined, by: HeadBearer): void {
    const head = said && readHead(said);
    if (!head) return;
    if (this.#last?.size === head.size && equalBytes(this.#last.root, head.root)) return;
    const key = `${head.size}/${toHex(head.root)}`;
    if (this.#agreed.has(key) || this.#waiting.size >= waitingMax) return;
    this.#waiting.set(key, { head, by });
    this.wake();
  }

  /** Goes on with what could not be judged before, after a login. */
  wake(): void {
    if (this.#running || this.#waiting.size === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when what was heard has been judged, or waits for a login. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    for (let first = firstOf(this.#waiting); first; first = firstOf(this.#waiting)) {
      const [key, heard] = first;
      try {
        if (await this.#judge(heard)) this.#agree(key, heard.head);
      } catch (error) {
        // Judged after the next login.
        if (isConnectionLoss(error)) return;
        // Whatever else it was is kept by what found it.
      }
      this.#waiting.delete(key);
    }
  }

  /** True where the head is one of this device's own directory. */
  async #judge({ head, by }: Heard): Promise<boolean> {
    const { directory, trust } = this.#replica;
    if (head.size <= directory.size && equalBytes(await directory.root(head.size), head.root))
      return true;
    if (!(await trust.isSigned(head))) {
      // Nobody's word but the sender's: it proves nothing, and stops nobody.
      if (head.size <= directory.size) this.#accuse(by);
      return false;
    }
    if (head.size > directory.size && !(await this.#catchUp(head, by))) return false;
    await trust.compare(head, directory, by);
    return true;
  }

  /** True where the server gave all records of the head. Rejects as the connection does, while that may be honest. */
  async #catchUp(head: Checkpoint, by: HeadBearer): Promise<boolean> {
    const { directory, trust } = this.#replica;
    for (;;) {
      const failure = await this.#answered(await this.#online(), head);
      if (head.size <= directory.size) return true;
      if (failure === undefined || ++this.#failures >= failuresMax) break;
      // A break proves nothing: it is asked once more after the next login.
      if (isConnectionLoss(failure)) throw failure;
      await this.#clock.sleep(patienceMs, this.#signal);
    }
    this.#failures = 0;
    await trust.withhold(head, directory, by);
    return false;
  }

  /** Asks, and waits as long as there is patience. Answers with what kept the server from answering, where that may pass. */
  async #answered(connection: DirectoryServer, head: Checkpoint): Promise<unknown> {
    const done = new AbortController();
    const asked = this.#ask(connection, head)
      .then(() => undefined)
      .catch((error: unknown) => (mayPass(error) ? error : undefined))
      .finally(() => done.abort());
    const patience = this.#clock.sleep(patienceMs, AbortSignal.any([done.signal, this.#signal]));
    return await Promise.race([asked, patience.then(() => undefined).catch(() => asked)]);
  }

  async #ask(connection: DirectoryServer, head: Checkpoint): Promise<void> {
    const { directory } = this.#replica;
    await this.#replica.sync(connection);
    if (head.size <= directory.size) return;
    // It may have lost them, and not know it: its own signature tells it.
    await this.#replica.handBack(connection, directory.size, true, head);
    await this.#replica.sync(connection);
  }

  #accuse(by: HeadBearer): void {
    if (this.#accused.has(by.device)) return;
    this.#accused.add(by.device);
    this.#notice(
      by.room,
      "a member's device names another key directory than this one knows, without the server's signature: " +
        "either it or the server is wrong; ask them, and compare with 'sotto verify'",
    );
  }

  #agree(key: string, { size, root, signature }: Checkpoint): void {
    this.#failures = 0;
    this.#last = { size, root: root.slice(), signature };
    if (this.#agreed.size >= agreedMax) this.#agreed.clear();
    this.#agreed.add(key);
  }
}

function firstOf(waiting: ReadonlyMap<string, Heard>): [string, Heard] | undefined {
  for (const entry of waiting) return entry;
  return undefined;
}

function readHead({ size, root, signature }: DirectoryHead): Checkpoint | undefined {
  if (root.length !== 32 || size > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { size: toSafeNumber(size), root, signature };
}
