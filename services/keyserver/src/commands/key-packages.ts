import type { DirectoryDevice } from "@sotto/identity";
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

/** Devices whose packages one request may claim. */
const claimedDevicesMax = 128;

/** Keeps KeyPackages of the calling device. They are opaque here; whoever adds the device checks them. */
export async function publishKeyPackages(
  server: Keyserver,
  request: RequestValue<"publishKeyPackages">,
  caller: Principal,
): Promise<Answer> {
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
  if (lastResort.length > 0) await server.store.putLastResort(caller.device, lastResort);
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
  const devices = wanted(server, request);
  const packages: {
    user: Uint8Array;
    device: Uint8Array;
    keyPackage: Uint8Array;
    lastResort: boolean;
  }[] = [];
  const without: Uint8Array[] = [];
  for (const device of devices) {
    // A budget per pair, so that nobody drains somebody's one-time packages.
    const claimed = server.keyPackageBudget.take(`${caller.user}/${device.id}`)
      ? await server.store.claimKeyPackage(device.id)
      : undefined;
    if (!claimed) {
      without.push(fromHex(device.id));
      continue;
    }
    server.events.keyPackageClaimed(claimed.lastResort);
    packages.push({
      user: fromHex(device.user),
      device: fromHex(device.id),
      keyPackage: claimed.bytes,
      lastResort: claimed.lastResort,
    });
  }
  return { case: "keyPackageList", value: { packages, without } };
}

function wanted(server: Keyserver, request: RequestValue<"claimKeyPackages">): DirectoryDevice[] {
  const { directory } = server.state;
  const found = new Map<DeviceId, DirectoryDevice>();
  for (const id of request.users) {
    const user = directory.user(parseUserId(id));
    if (!user) throw new SottoError(ErrorCode.UNKNOWN_USER, "no such user");
    for (const device of user.devices) found.set(device.id, device);
  }
  for (const id of request.devices) {
    const device = directory.device(parseDeviceId(id));
    if (!device) throw new SottoError(ErrorCode.UNKNOWN_DEVICE, "no such device");
    found.set(device.id, device);
  }
  if (found.size > claimedDevicesMax) {
    throw new SottoError(
      ErrorCode.TOO_LARGE,
      `packages of at most ${claimedDevicesMax} devices at once`,
    );
  }
  return [...found.values()].filter(({ revokedAt }) => revokedAt === undefined);
}
