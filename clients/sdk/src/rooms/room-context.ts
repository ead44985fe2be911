import type { Clock } from "@sotto/clock";
import type { Signer } from "@sotto/identity";
import type { LeafIdentity, Mls, SignatureKey } from "@sotto/mls";
import type { SealCrypto } from "@sotto/sealed-media";
import type { Checks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import type { PromisedRooms } from "../devices/promised-rooms.ts";
import type { DirectoryReplica } from "../directory/directory-replica.ts";
import type { HeadGossip } from "../directory/head-gossip.ts";
import type { History } from "../history/history.ts";
import type { KeyPackages } from "../key-packages.ts";
import type { Notices } from "../notices.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import type { Profile } from "../profile.ts";
import type { Trouble } from "../trouble.ts";
import type { DisabledPeople } from "./disabled-people.ts";
import type { Outbox } from "./outbox.ts";
import type { Parts } from "./parts.ts";

/** What every room of a client shares. */
export interface RoomContext {
  readonly profile: Profile;
  readonly leaf: LeafIdentity;
  readonly mlsKey: SignatureKey;
  readonly signKey: Signer;
  readonly mls: Mls;
  readonly store: ProfileStore;
  readonly history: History;
  readonly outbox: Outbox;
  readonly directory: DirectoryReplica;
  /** Judges what members' messages say of the directory. */
  readonly heads: HeadGossip;
  readonly keyPackages: KeyPackages;
  readonly parts: Parts;
  readonly disabled: DisabledPeople;
  /** Into which rooms this device lets people again whose identity begins anew. */
  readonly promised: PromisedRooms;
  readonly checks: Checks;
  readonly trouble: Trouble;
  readonly sealCrypto: SealCrypto;
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends every wait of the client. */
  readonly signal: AbortSignal;
  /** The logged-in connection, waited for. */
  online(timeoutMs: number, signal?: AbortSignal): Promise<Connection>;
  /** Why the server will not have this device any more, where it said so. */
  refusal(): Error | undefined;
  /** What people should read also where nobody listens now. */
  readonly notices: Notices;
  /** Something passes that a person may want to read about; "" for no one room. Never content, and not kept. */
  notice(room: string, text: string): void;
}
