import { encodePong, fromHex, type PresenceState, retryOf } from "@sotto/protocol";
import type { Effect } from "../session/effect.ts";
import type { ArchiveEffects } from "./archive-effects.ts";
import type { ForwardEffects } from "./forward-effects.ts";
import { eventFrame, responseFrame } from "./frames.ts";
import type { LoginEffects } from "./login-effects.ts";
import type { MediaEffects } from "./media-effects.ts";
import type { ConnectionPort } from "./port.ts";
import type { RoomEffects } from "./room-effects.ts";

/** Those who do a connection's effects. */
export interface EffectHands {
  readonly port: ConnectionPort;
  readonly login: LoginEffects;
  readonly forward: ForwardEffects;
  readonly rooms: RoomEffects;
  readonly media: MediaEffects;
  readonly archive: ArchiveEffects;
  trouble(cannotOpen: number): void;
  loggedIn(): void;
  setPresence(state: PresenceState, begins: boolean): void;
  close(effect: Extract<Effect, { kind: "close" }>): void;
}

type Performers = {
  readonly [Kind in Effect["kind"]]: (
    hands: EffectHands,
    effect: Extract<Effect, { kind: Kind }>,
  ) => void;
};

const performers: Performers = {
  respond: ({ port }, { stream, body }) => port.outbox.push(responseFrame(stream, body)),
  pong: ({ port }, { body }) => port.outbox.push(encodePong(body)),
  tellInterrupted({ port }, { room, code }) {
    const error = { code, retry: retryOf(code), message: "the subscription ended" };
    port.outbox.push(
      eventFrame({ case: "roomInterrupted", value: { room: fromHex(room), error } }),
    );
  },
  lookUpDevice: ({ login }, { device }) => login.lookUpDevice(device),
  verify: ({ login }, { facts, message, signature }) => login.verify(facts, message, signature),
  admit: ({ login }, effect) => login.admit(effect),
  loggedIn: (hands) => hands.loggedIn(),
  loginFailed: ({ login }, { reason }) => login.failed(reason),
  forward: ({ forward }, effect) => forward.send(effect),
  append: ({ rooms }, effect) => rooms.append(effect),
  subscribe: ({ rooms }, effect) => rooms.subscribe(effect),
  unsubscribe: ({ rooms }, { room }) => rooms.unsubscribe(room),
  signal: ({ rooms }, effect) => rooms.signal(effect),
  askPresence: ({ rooms }, effect) => rooms.askPresence(effect),
  setPresence: (hands, { state, begins }) => hands.setPresence(state, begins),
  beginUpload: ({ media }, effect) => media.beginUpload(effect),
  uploadBytes: ({ media }, { stream, bytes }) => media.fill(stream, bytes),
  finishUpload: ({ media }, { stream }) => media.finishUpload(stream),
  dropUpload: ({ media }, { stream }) => media.dropUpload(stream),
  openObject: ({ media }, effect) => media.open(effect),
  credit: ({ media }, { stream, bytes }) => media.credit(stream, bytes),
  cancelDownload: ({ media }, { stream }) => media.cancel(stream),
  appendArchive: ({ archive }, effect) => archive.append(effect),
  readArchive: ({ archive }, effect) => archive.read(effect),
  trouble: (hands, { cannotOpen }) => hands.trouble(cannotOpen),
  close: (hands, effect) => hands.close(effect),
};

/** Does one effect. What takes time goes on by itself, and its result comes back as an input. */
export function perform(hands: EffectHands, effect: Effect): void {
  // The table's type says that each kind has the performer of its own effect.
  const performer = performers[effect.kind] as (hands: EffectHands, effect: Effect) => void;
  performer(hands, effect);
}
