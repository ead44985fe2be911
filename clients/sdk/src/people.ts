import { type DirectoryUser, safetyNumber } from "@sotto/identity";
import { type DeviceId, foldName, parseUserId, type UserId } from "@sotto/protocol";
import { SottoClientError } from "./errors.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import { type Verified, verifiedChange, verifiedState } from "./verified.ts";

/** One device of a person, as its signed record says. */
export interface DeviceView {
  readonly device: DeviceId;
  readonly name: string;
  /** A recovery key lies on paper, and is in no room. */
  readonly kind: "device" | "recovery";
  /** True where it was taken out for good. */
  readonly revoked: boolean;
  /** SHA-256 of the record that added it, hex. */
  readonly record: string;
}

/** What the key directory holds of a person. */
export interface PersonKeys {
  readonly user: UserId;
  readonly name: string;
  /** SHA-256 of every record of the identity chain, hex, oldest first. */
  readonly chain: readonly string[];
  /** Devices and recovery keys, the revoked ones too. */
  readonly devices: readonly DeviceView[];
  /** 60 digits that both people see alike; `undefined` for oneself. */
  readonly safetyNumber: string | undefined;
  /**
   * "yes": this person compared the number and found it the same; "changed": it was another one then, because an
   * identity began anew since.
   */
  readonly verified: Verified;
}

/** Who is who, from this device's own checked copy of the key directory. */
export class People {
  readonly #context: RoomContext;

  constructor(context: RoomContext) {
    this.#context = context;
  }

  /** Finds somebody by name, `@name` or id. Throws UNKNOWN_USER. */
  find(nameOrId: string): UserId {
    const directory = this.#context.directory.directory;
    const text = nameOrId.startsWith("@") ? nameOrId.slice(1) : nameOrId;
    if (/^[0-9a-f]{32}$/.test(text) && directory.user(parseUserId(text))) return parseUserId(text);
    const user = isName(text) ? directory.userByName(foldName(text)) : undefined;
    if (!user) throw new SottoClientError("UNKNOWN_USER", `nobody here is called ${text}`);
    return user.id;
  }

  /** A person's name; the id where the directory does not know it. */
  name(user: UserId): string {
    return this.#context.directory.directory.user(user)?.name ?? user;
  }

  /** Everybody in the directory. */
  all(): { user: UserId; name: string }[] {
    return this.#context.directory.directory.users().map(({ id, name }) => ({ user: id, name }));
  }

  /** Identity chain, devices and safety number, after asking the server for newer records. */
  async keys(nameOrId: string): Promise<PersonKeys> {
    await this.refresh();
    const { directory } = this.#context.directory;
    const user = directory.user(this.find(nameOrId));
    const { profile, store } = this.#context;
    const self = directory.user(profile.user);
    if (!user || !self)
      throw new SottoClientError("UNKNOWN_USER", "the key directory does not hold that person");
    const number =
      user.id === self.id ? undefined : await numberOf(self, user, profile.serverKeySha256);
    return {
      user: user.id,
      name: user.name,
      chain: user.chain,
      devices: user.devices.map(({ id, name, kind, revokedAt, recordHash }) => ({
        device: id,
        name,
        kind,
        revoked: revokedAt !== undefined,
        record: recordHash,
      })),
      safetyNumber: number,
      verified: number === undefined ? "no" : await verifiedState(store, user.id, number),
    };
  }

  /**
   * Compares a safety number that the other person reads from their device with this one's, and remembers that they
   * are the same. Rejects with WRONG_NUMBER where they are not, with UNKNOWN_USER for oneself.
   */
  async verify(nameOrId: string, number: string): Promise<PersonKeys> {
    const keys = await this.keys(nameOrId);
    if (keys.safetyNumber === undefined)
      throw new SottoClientError("UNKNOWN_USER", "a safety number is for two people");
    if (number.replace(/\s/g, "") !== keys.safetyNumber)
      throw new SottoClientError(
        "WRONG_NUMBER",
        `that is not the safety number that this device has with ${keys.name}: one of you is shown other keys, ` +
          "or a digit is wrong. Compare once more before you trust what comes under that name",
      );
    const { store, clock } = this.#context;
    await store.commit([verifiedChange(keys.user, keys.safetyNumber, clock.now())]);
    return { ...keys, verified: "yes" };
  }

  /** Fetches new records of the key directory. Rejects with NOT_REACHABLE, DIRECTORY_FORK, SERVER_MISBEHAVED. */
  async refresh(timeoutMs = 10_000): Promise<void> {
    const connection = await this.#context.online(timeoutMs);
    await this.#context.directory.sync(connection);
  }
}

function numberOf(self: DirectoryUser, other: DirectoryUser, origin: Uint8Array): Promise<string> {
  const side = ({ id: user, identityStart }: DirectoryUser) => ({ user, identityStart });
  return safetyNumber(side(self), side(other), origin);
}

function isName(text: string): boolean {
  try {
    foldName(text);
    return true;
  } catch {
    return false;
  }
}
