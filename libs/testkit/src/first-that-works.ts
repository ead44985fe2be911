/** One way to come by something, with the name that an error shows. */
export interface Way<T> {
  readonly name: string;
  attempt(): Promise<T>;
}

/** Tries the ways in order; throws one error that tells why each of them failed. */
export async function firstThatWorks<T>(what: string, ways: readonly Way<T>[]): Promise<T> {
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      return await way.attempt();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.push(`${way.name}: ${reason.split("\n")[0]}`);
    }
  }
  throw new Error(`no ${what} for tests (${reasons.join("; ")})`);
}
