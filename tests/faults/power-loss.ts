/** Placeholder until the recording below is wired. */
export async function powerLoss(say: (line: string) => void): Promise<readonly string[]> {
  say("power loss: nothing");
  return [];
}
