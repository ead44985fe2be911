/** A history entry of that type, as `listen` prints it. */
export interface KeysChangedLine {
  /** Whose keys. */
  readonly user: string;
  readonly change: "device-added" | "device-revoked" | "recovery-set" | "identity-reset";
  readonly deviceName: string;
  readonly by: {
    readonly kind: "device" | "recovery" | "owner";
    readonly user: string;
    readonly name: string;
  };
}

/** One line: who, what changed, and who signed it. */
export function keysChanged({ user, change, deviceName, by }: KeysChangedLine): string {
  const what = {
    "device-added": `has a new device, "${deviceName}"`,
    "device-revoked": `revoked the device "${deviceName}"`,
    "recovery-set": "has a new recovery phrase",
    "identity-reset": "lost all devices and began anew: safety numbers change",
  }[change];
  const who = {
    device: `signed by the device "${by.name}"`,
    recovery: "signed by the recovery phrase",
    owner: `allowed by ${by.user}, who owns this server`,
  }[by.kind];
  return `${user} ${what} (${who})`;
}
