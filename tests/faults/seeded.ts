import { seededRandom } from "@sotto/testkit";

export type Random = () => number;

/** The same seed gives the same schedule. */
export function seeded(seed: number): Random {
  return seededRandom(seed);
}

/** In another order. */
export function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
