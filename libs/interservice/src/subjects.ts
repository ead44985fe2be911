/** Subjects of the bus. `svc.*` are calls, the others are published. */
export const subjects = {
  keyserverCommand: "svc.keyserver.command",
  keyserverCertify: "svc.keyserver.certify",
  keyserverDevice: "svc.keyserver.device",
  keyserverRooms: "svc.keyserver.rooms",
  keyserverRoster: "svc.keyserver.roster",
  keyserverConfirm: "svc.keyserver.confirm",
  mediaCommand: "svc.media.command",
  presenceSnapshot: "svc.presence.snapshot",
  hintRoster: "hint.roster",
  hintDirectory: "hint.directory",
  hintHandBack: "hint.hand-back",
  hintGrants: "hint.grants",
  hintDisabled: "hint.disabled",
  presenceLease: "presence.lease",
  presenceChange: "presence.change",
  presenceState: "presence.state",
  presenceReplica: "presence.replica",
  /** Asks every edge for a lease now. */
  presenceAsk: "presence.ask",
  signal: (roomHex: string): string => `signal.${roomHex}`,
} as const;
