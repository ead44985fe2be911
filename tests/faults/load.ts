import { createHash, randomBytes } from "node:crypto";
import { type MediaSource, type OpenedMedia, SottoClientError } from "@sotto/sdk";
import type { Company, Joined } from "../scenarios/company.ts";
import { Ledger } from "./ledger.ts";

const names = ["ada", "ben", "cleo", "dan", "eva", "finn"] as const;
const sendEveryMs = 200;
const filmBytes = 3_000_000;
const uploadBytes = 1_500_000;
const readBytes = 256 * 1024;
/** Who was without a connection hears of an upload when it is back. */
const toldWithinMs = 30_000;

/** What an upload that was acknowledged must hold. */
interface Uploaded {
  readonly object: string;
  readonly sha256: string;
}

/** Counts of what ran beside the messages. */
export interface MediaCounts {
  readonly uploads: number;
  readonly reads: number;
  /** Bytes that came and were not what was shared. */
  readonly wrong: number;
}

/** Real clients that send, receive, upload and stream until they are stopped. */
export class Load implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly people: readonly Joined[];
  readonly #film: Buffer;
  readonly #filmObject: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #uploaded: Uploaded[] = [];
  #reads = 0;
  #wrong = 0;

  private constructor(people: readonly Joined[], film: Buffer, filmObject: string) {
    this.people = people;
    this.#film = film;
    this.#filmObject = filmObject;
  }

  static async start(company: Company): Promise<Load> {
    const people = await company.people(...names);
    const film = randomBytes(filmBytes);
    const [owner] = people;
    const { object } = await owner.client.media.share("general", sourceOf(film));
    const load = new Load(people, film, object);
    for (const person of people) load.#run(() => load.#listen(person));
    for (const person of people) load.#run(() => load.#send(person));
    load.#run(() => load.#upload(people[1]));
    load.#run(() => load.#stream(people[2]));
    return load;
  }

  get names(): readonly string[] {
    return this.people.map(({ name }) => name);
  }

  get media(): MediaCounts {
    return { uploads: this.#uploaded.length, reads: this.#reads, wrong: this.#wrong };
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** True where everybody sees everybody else. */
  get presenceIsRight(): boolean {
    return this.people.every(({ client }) => {
      const seen = client.presence();
      return this.people.every(
        (other) => other.client === client || seen.has(other.client.profile.user),
      );
    });
  }

  /** Reads the latest uploads, or all of them, back through another member. Answers how many are not whole. */
  async damaged(latest: number = Number.POSITIVE_INFINITY): Promise<number> {
    const reader = this.people[3];
    if (!reader) throw new Error("nobody reads");
    let damaged = 0;
    for (const { object, sha256 } of this.#uploaded.slice(
      -Math.min(latest, this.#uploaded.length),
    )) {
      const hash = createHash("sha256");
      const media = await opened(reader, object);
      for await (const bytes of media.read(0, media.bytes)) hash.update(bytes);
      if (hash.digest("hex") !== sha256) damaged++;
    }
    return damaged;
  }

  /** Sends no more; what is under way ends. */
  stopSending(): void {
    this.#stop.abort(new Error("the load was stopped"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopSending();
    await Promise.race([
      Promise.allSettled(this.#running),
      new Promise((resolve) => setTimeout(resolve, 5000)),
    ]);
  }

  #run(task: () => Promise<void>): void {
    this.#running.push(task());
  }

  async #listen({ name, client }: Joined): Promise<void> {
    // It ends with the process: what is late is heard too.
    for await (const entry of client.history({ follow: true }))
      if (entry.type === "message")
        this.ledger.hear(name, { text: entry.text, sequence: entry.sequence });
  }

  async #send({ name, client }: Joined): Promise<void> {
    for (let count = 0; !this.stopped; count++) {
      const text = `${name} ${count}`;
      try {
        this.ledger.acknowledge(name, text, await client.send("general", text, this.#stop.signal));
      } catch {
        // Refused, as by a full disk: never acknowledged, so nothing is promised.
      }
      await pause(sendEveryMs);
    }
  }

  async #upload({ client }: Joined): Promise<void> {
    while (!this.stopped) {
      const bytes = randomBytes(uploadBytes);
      try {
        const { signal } = this.#stop;
        const shared = await client.media.share("general", sourceOf(bytes), { signal });
        this.#uploaded.push({ object: shared.object, sha256: digest(bytes) });
      } catch {
        await pause(500);
      }
      await pause(700);
    }
  }

  async #stream({ client }: Joined): Promise<void> {
    while (!this.stopped) {
      const start = Math.floor(Math.random() * (filmBytes - readBytes));
      try {
        const media = await client.media.open(this.#filmObject);
        const parts: Uint8Array[] = [];
        for await (const part of media.read(start, start + readBytes, this.#stop.signal))
          parts.push(part);
        this.#reads++;
        if (!Buffer.concat(parts).equals(this.#film.subarray(start, start + readBytes)))
          this.#wrong++;
      } catch {
        await pause(500);
      }
      await pause(200);
    }
  }
}

/** Opens an object that may be told to this member only now. */
async function opened({ client }: Joined, object: string): Promise<OpenedMedia> {
  const end = performance.now() + toldWithinMs;
  for (;;) {
    try {
      return await client.media.open(object);
    } catch (error) {
      const untold = error instanceof SottoClientError && error.code === "UNKNOWN_OBJECT";
      if (!untold || performance.now() > end) throw error;
    }
    await pause(100);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sourceOf(bytes: Uint8Array): MediaSource {
  return {
    name: "film.mp4",
    bytes: bytes.length,
    mime: "video/mp4",
    fingerprint: digest(bytes),
    async *read(start) {
      for (let at = start; at < bytes.length; at += 500_000) yield bytes.subarray(at, at + 500_000);
    },
  };
}
