import type { Sent } from "@sotto/sdk";

/** One message that the server acknowledged, by its text, which is unique. */
interface Acknowledged {
  readonly sequence: number;
  readonly room: string;
}

/** What the promise came to, over everybody. */
export interface Verdict {
  readonly acknowledged: number;
  /** Acknowledged messages that a member has, counted for each member. */
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
}

/** A message as a member has it. */
export interface Heard {
  readonly text: string;
  readonly sequence: number;
}

/** Every acknowledgement, and what each member heard: the promise is that the two agree. */
export class Ledger {
  readonly #acknowledged = new Map<string, Acknowledged>();
  readonly #heard = new Map<string, Heard[]>();
  /** Monotonic times of each sender's acknowledgements, ms. */
  readonly #times = new Map<string, number[]>();

  acknowledge(sender: string, text: string, { sequence, room }: Sent): void {
    this.#acknowledged.set(text, { sequence, room });
    const times = this.#times.get(sender);
    if (times) times.push(performance.now());
    else this.#times.set(sender, [performance.now()]);
  }

  hear(member: string, heard: Heard): void {
    const own = this.#heard.get(member);
    if (own) own.push(heard);
    else this.#heard.set(member, [heard]);
  }

  get size(): number {
    return this.#acknowledged.size;
  }

  /** Judges the first `count` acknowledgements: the latest are still on their way. */
  judge(members: readonly string[], count: number = this.size): Verdict {
    const acknowledged = [...this.#acknowledged].slice(0, count);
    let [delivered, lost, doubled, outOfOrder] = [0, 0, 0, 0];
    for (const member of members) {
      const heard = this.#heard.get(member) ?? [];
      const seen = new Map<string, number>();
      let last = 0;
      for (const { text, sequence } of heard) {
        if (seen.has(text)) doubled++;
        else if (sequence <= last) outOfOrder++;
        last = Math.max(last, sequence);
        seen.set(text, sequence);
      }
      for (const [text, { sequence }] of acknowledged) {
        const at = seen.get(text);
        if (at === undefined) lost++;
        else delivered++;
        if (at !== undefined && at !== sequence) outOfOrder++;
      }
    }
    return { acknowledged: acknowledged.length, delivered, lost, doubled, outOfOrder };
  }

  /** The longest time that one sender got no acknowledgement, since `sinceMs`, ms. */
  longestSilence(sinceMs: number): number {
    let longest = 0;
    for (const times of this.#times.values()) {
      let before = sinceMs;
      for (const at of [...times, performance.now()]) {
        if (at < sinceMs) continue;
        longest = Math.max(longest, at - before);
        before = at;
      }
    }
    return longest;
  }
}
