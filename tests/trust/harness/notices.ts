import type { SottoClient } from "@sotto/sdk";

/** What a client tells its person beside what is said in rooms, from now on. */
export function notices(client: SottoClient): readonly string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const event of client.live()) if (event.type === "notice") heard.push(event.text);
  })();
  return heard;
}
