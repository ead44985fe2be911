import type { SubjectKind, Topic } from "../log.ts";

/** The streams and subjects of one log. `name` is a token of its own on the server. */
export class Subjects {
  readonly #name: string;
  readonly streamCount: number;

  constructor(name: string, streamCount: number) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new RangeError("not a name for streams");
    if (!Number.isInteger(streamCount) || streamCount < 1 || streamCount > 256) {
      throw new RangeError("a log has 1 to 256 streams");
    }
    this.#name = name;
    this.streamCount = streamCount;
  }

  stream(index: number): string {
    return `${this.#name}_${index}`;
  }

  /** Everything that stream `index` stores. */
  stored(index: number): string {
    return `${this.#name}.g.${index}.*.*`;
  }

  /** Where the server publishes copies of what stream `index` stored. */
  live(index: number): string {
    return `${this.#name}.live.${index}.>`;
  }

  /** The source that `live` copies, with the wildcard that it needs. */
  republished(index: number): string {
    return `${this.#name}.g.${index}.>`;
  }

  of(topic: Topic, kind: SubjectKind | "*"): string {
    return `${this.#name}.g.${this.indexOf(topic)}.${topic}.${kind}`;
  }

  liveOf(topic: Topic): string {
    return `${this.#name}.live.${this.indexOf(topic)}.${topic}.*`;
  }

  /** The stream of a topic: FNV-1a of its name. Changing it, or the count, is resharding. */
  indexOf(topic: Topic): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < topic.length; at++) {
      hash = Math.imul(hash ^ topic.charCodeAt(at), 0x01000193);
    }
    return (hash >>> 0) % this.streamCount;
  }
}

/** Topic and kind of a stored or live subject. */
export function partsOf(subject: string): { readonly topic: string; readonly kind: string } {
  const [kind = "", topic = ""] = subject.split(".").reverse();
  return { topic, kind };
}
