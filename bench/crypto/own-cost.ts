/** Time and CPU of a stretch of work in this process. */
export interface OwnCost {
  readonly seconds: number;
  readonly cpuMs: number;
}

export async function ownCost(work: () => Promise<void> | void): Promise<OwnCost> {
  const before = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuMs: (user + system) / 1000 };
}
