/** Sequences of a gap that are kept by number; of a larger one only the count. */
const missingMax = 64;
/** Gaps of one sender that are kept; an older one stays in the history and is not followed any more. */
const gapsMax = 8;

/** Messages of a device that were never shown here. */
export interface Gap {
  /** Place of the history entry that tells of it. */
  readonly order: string;
  /** The room's sequence at which it was noticed. */
  readonly noticed: number;
  /** Messages that it tells of. */
  readonly count: number;
  /** Sender sequences that are missing, ascending, the first `missingMax` of them. */
  readonly missing: readonly number[];
  /** Missing ones that are not listed. */
  readonly beyond: number;
  /** The device was asked for them. */
  readonly asked: boolean;
}

/** What is known here of another device's messages in one room. */
export interface SenderChain {
  /** `sender_sequence` and SHA-256 (hex) of its newest message; 0 and empty before its first. */
  readonly sequence: number;
  readonly sha256: string;
  /** Records of the device since then that could not be opened. */
  readonly unopened: number;
  /** The device was let in anew since then: it may count from 1 again. */
  readonly mayRestart: boolean;
  readonly gaps: readonly Gap[];
  /** Messages behind it that were shown already: they came before the change that they were sealed under. */
  readonly ahead?: readonly number[];
}

/** The chain of a device that has said nothing yet. */
export const chainBegun: SenderChain = {
  sequence: 0,
  sha256: "",
  unopened: 0,
  mayRestart: false,
  gaps: [],
};

/** What a message's content says of its place in its sender's chain. */
export interface Link {
  readonly sequence: number;
  readonly sha256: string;
  /** Hex; empty for the first. */
  readonly previousSha256: string;
  /** Sequences that the sender took back before anything was sent. */
  readonly withdrawn: readonly number[];
}

export interface Followed {
  readonly chain: SenderChain;
  /** Set where messages before this one were not shown, or are not those that its sender means. */
  readonly missing?: Pick<Gap, "count" | "missing" | "beyond">;
  /** Gaps that became smaller. */
  readonly changed: readonly Gap[];
}

/**
 * The chain with the next message of its device, in the order of the room. Without a chain `before` it begins with
 * that message, whatever its number is: a device that was here first has said things that are not for this one.
 */
export function followChain(before: SenderChain | undefined, link: Link): Followed {
  const { sequence, sha256 } = link;
  const restarted = before?.mayRestart === true && sequence === 1 && link.previousSha256 === "";
  const moved = { sequence, sha256, unopened: 0, mayRestart: false };
  if (!before || restarted) return { chain: { ...moved, gaps: before?.gaps ?? [] }, changed: [] };
  if (before.gaps.some(({ missing }) => missing.includes(sequence))) {
    return fillChain(before, [sequence, ...link.withdrawn]);
  }
  const told = fillChain(before, link.withdrawn);
  const ahead = before.ahead?.filter((shown) => shown > sequence) ?? [];
  const chain = { ...moved, gaps: told.chain.gaps, ...(ahead.length > 0 ? { ahead } : {}) };
  const missing = missingBefore(before, link);
  return { chain, changed: told.changed, ...(missing ? { missing } : {}) };
}

function missingBefore(before: SenderChain, link: Link): Followed["missing"] {
  // The sender counts anew, or from an older state of its own: what came between cannot be known.
  if (link.sequence <= before.sequence) return { count: 1, missing: [], beyond: 0 };
  const known = new Set(
    [...link.withdrawn, ...(before.ahead ?? [])].filter(
      (taken) => taken > before.sequence && taken < link.sequence,
    ),
  );
  const all = link.sequence - before.sequence - 1 - known.size;
  if (link.sequence === before.sequence + 1 && link.previousSha256 !== before.sha256)
    return { count: 1, missing: [], beyond: 0 };
  const count = all - before.unopened;
  if (count <= 0) return undefined;
  const missing: number[] = [];
  for (let at = before.sequence + 1; at < link.sequence && missing.length < missingMax; at++)
    if (!known.has(at)) missing.push(at);
  return { count, missing, beyond: all - missing.length };
}

/** The chain after messages of these sequences came late, or turned out never to have been sent. */
export function fillChain(before: SenderChain, sequences: readonly number[]): Followed {
  const changed: Gap[] = [];
  const gaps = before.gaps.map((gap) => {
    const missing = gap.missing.filter((sequence) => !sequences.includes(sequence));
    if (missing.length === gap.missing.length) return gap;
    const smaller = { ...gap, missing, count: Math.min(gap.count, missing.length + gap.beyond) };
    changed.push(smaller);
    return smaller;
  });
  return { chain: { ...before, gaps: gaps.filter(({ count }) => count > 0) }, changed };
}

/** The chain after a message was shown that could not be opened when it came, and may be behind the newest one. */
export function showLate(before: SenderChain, sequence: number): SenderChain {
  if (sequence <= before.sequence) return before;
  const ahead = [...(before.ahead ?? []), sequence].slice(-missingMax);
  return { ...before, unopened: Math.max(0, before.unopened - 1), ahead };
}

/** The chain with a gap more. */
export function withGap(chain: SenderChain, gap: Gap): SenderChain {
  if (gap.missing.length === 0) return chain;
  return { ...chain, gaps: [...chain.gaps, gap].slice(-gapsMax) };
}
