import { type DirectoryDevice, standingDevices } from "@sotto/identity";
import {
  type DeviceId,
  ErrorCode,
  fromHex,
  limits,
  parseDeviceId,
  parseUserId,
  SottoError,
} from "@sotto/protocol";
import type { Answer, Keyserver, Principal, RequestValue } from "./command.ts";

/** Keeps KeyPackages of the calling device. They are opaque here; whoever adds the device checks them. */
export async function publishKeyPackages(
  server: Keyserver,
  request: RequestValue<"publishKeyPackages">,
  caller: Principal,
): Promise<Answer> {
  if (server.state.directory.device(caller.device)?.kind === "recovery")
    throw new SottoError(ErrorCode.FORBIDDEN, "a recovery key is in no room");
  const { oneTime, lastResort } = request;
  if (oneTime.length > limits.keyPackagesPublishMax) {
    throw new SottoError(
      ErrorCode.TOO_LARGE,
      `at most ${limits.keyPackagesPublishMax} packages at once`,
    );
  }
  if ([...oneTime, lastResort].some(({ length }) => length > limits.keyPackageBytesMax)) {
    throw new SottoError(
      ErrorCode.TOO_LARGE,
      `a KeyPackage has at most ${limits.keyPackageBytesMax} bytes`,
    );
  }
  if (oneTime.some(({ length }) => length === 0))
    throw new SottoError(ErrorCode.BAD_REQUEST, "a KeyPackage is not empty");
  if (lastResort.length > 0) {
    // A new last resort begins anew: what was there before may have outlived its time.
    await server.lastResorts.drop(caller.device);
    await server.lastResorts.put(caller.device, lastResort);
  }
  const room = limits.keyPackagesMax - (await server.store.countKeyPackages(caller.device));
  const count = await server.store.addKeyPackages(
    caller.device,
    oneTime.slice(0, Math.max(0, room)),
  );
  return { case: "keyPackageCount", value: { oneTime: count } };
}

/** Hands out one package of every device that was asked for; each one-time package once. */
export async function claimKeyPackages(
  server: Keyserver,
  request: RequestValue<"claimKeyPackages">,
  caller: Principal,
): Promise<Answer> {
  const packages = [];
  const without: Uint8Array[] = [];
  for (const { id, user } of await wanted(server, request)) {
    const claimed = await claim(server, id, caller);
    if (!claimed) {
      without.push(fromHex(id));
      continue;
    }
    const { bytes: keyPackage, lastResort } = claimed;
    server.events.keyPackageClaimed(lastResort);
    packages.push({ user: fromHex(user), device: fromHex(id), keyPackage, lastResort });
  }
  return { case: "keyPackageList", value: { packages, without } };
}

/** A budget per pair, so that nobody drains somebody's one-time packages; beyond it, the last resort. */
async function claim(
  server: Keyserver,
  device: DeviceId,
  caller: Principal,
): Promise<{ readonly bytes: Uint8Array; readonly lastResort: boolean } | undefined> {
  if (server.budgets.claims.take(`${caller.user}/${device}`))
    return await server.store.claimKeyPackage(device);
  const bytes = await server.lastResorts.get(device);
  return bytes && { bytes, lastResort: true };
}

/** Devices that stand: neither revoked nor of a user who is switched off. */
async function wanted(
  server: Keyserver,
  request: RequestValue<"claimKeyPackages">,
): Promise<DirectoryDevice[]> {
  const { directory } = server.state;
  const most = server.limits.claimedDevicesMax;
  const tooMany = new SottoError(
    ErrorCode.TOO_LARGE,
    `packages of at most ${most} devices at once`,
  );
  if (request.users.length > most || request.devices.length > most) throw tooMany;
  const found = new Map<DeviceId, DirectoryDevice>();
  for (const bytes of request.users) {
    const user = directory.user(parseUserId(bytes));
    if (!user) throw new SottoError(ErrorCode.UNKNOWN_USER, "no such user");
    for (const device of standingDevices(user)) found.set(device.id, device);
  }
  for (const id of request.devices) {
    const device = directory.device(parseDeviceId(id));
    // A recovery key is in no room.
    if (device?.kind !== "device") throw new SottoError(ErrorCode.UNKNOWN_DEVICE, "no such device");
    found.set(device.id, device);
  }
  const disabled = await server.disabled.all();
  const standing = [...found.values()].filter(
    ({ revokedAt, user }) => revokedAt === undefined && !disabled.has(user),
  );
  if (standing.length > most) throw tooMany;
  return standing;
}
