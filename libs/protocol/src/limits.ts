/** Every limit of the protocol, in one place. PROTOCOL.md lists them; a test compares the two. */
export const limits = {
  /** A frame's body after login. */
  frameBytesMax: 1024 * 1024,
  /** A frame's body before login. */
  frameBytesBeforeLoginMax: 16 * 1024,
  /** A sealed message (MLS PrivateMessage). */
  messageBytesMax: 128 * 1024,
  /** A signed envelope. */
  envelopeBytesMax: 256 * 1024,
  /** Parts of an envelope above this size travel as media objects named by their hash. */
  inlinePartBytesMax: 32 * 1024,
  /** Devices added in one commit. */
  addedDevicesMax: 32,
  /** Devices in one room. */
  roomDevicesMax: 1000,
  /** An identity record. */
  recordBytesMax: 8 * 1024,
  /** A signed note of the directory's head, signatures of others included. */
  checkpointBytesMax: 4096,
  /** Records in one directory page. */
  directoryPageRecordsMax: 500,
  /** Bytes of records in one directory page; the page is cut before it would be larger. */
  directoryPageBytesMax: 512 * 1024,
  /** The same before a login, where less may wait to be read. */
  directoryPageBytesBeforeLoginMax: 64 * 1024,
  /** Devices of one user that are not revoked, a recovery phrase not counted. */
  devicesPerUserMax: 32,
  /** Recovery phrases of one user that are good at the same time. */
  recoveryKeysMax: 4,
  /** Records that are handed back and wait for the rest; larger gaps need the operator. */
  handedBackRecordsMax: 20_000,
  /** A sealed message of a link. */
  linkMessageBytesMax: 4096,
  /** Messages of one link. */
  linkMessagesMax: 16,
  /** A mailbox for linking ends after this time. */
  linkLifetimeMs: 600_000,
  /** A record of an archive: the largest message fits. */
  archiveRecordBytesMax: 144 * 1024,
  /** Records in one page of an archive. */
  archivePageRecordsMax: 256,
  /** Bytes of records in one page of an archive. */
  archivePageBytesMax: 512 * 1024,
  /** A device's name, in UTF-8. */
  nameBytesMax: 64,
  /** One-time KeyPackages kept for a device. */
  keyPackagesMax: 100,
  /** A device publishes new ones when fewer are left. */
  keyPackagesLow: 25,
  keyPackageBytesMax: 8 * 1024,
  /** KeyPackages in one publication. */
  keyPackagesPublishMax: 100,
  /** A piece of a sealed media object; the last one is shorter. */
  pieceBytes: 1024 * 1024,
  /** A MEDIA frame's body. */
  mediaFrameBytesMax: 256 * 1024,
  /** A sealed media object: 64 GiB. */
  objectBytesMax: 64 * 1024 * 1024 * 1024,
  /** Unspent credit that counts for one media stream; a client that grants more gets no more. */
  mediaCreditBytesMax: 8 * 1024 * 1024,
  /** Media streams and uploads open at once on one connection. */
  mediaStreamsMax: 16,
  /** Rooms subscribed on one connection. */
  subscriptionsMax: 2048,
  /** Requests of one connection that are not answered yet. */
  requestsInFlightMax: 256,
  /** The same before its login: each may be a frame of `frameBytesBeforeLoginMax` that another service has not answered. */
  requestsInFlightBeforeLoginMax: 32,
  /** Bytes waiting to be written to one client, and 256 for each frame, before the edge closes with TOO_SLOW. */
  outboxBytesMax: 4 * 1024 * 1024,
  /** The same before its login: all messages of a link, asked for at once, fit. */
  outboxBytesBeforeLoginMax: 96 * 1024,
  /** One deadline for PROXY header, TLS handshake and login. */
  loginTimeoutMs: 10_000,
  /** Requests of one connection before its login, Register and Authenticate not counted. */
  requestsBeforeLoginMax: 256,
  /** Frames of one connection before its login, of any type; one more ends it with PROTOCOL_ERROR. */
  framesBeforeLoginMax: 300,
  idleTimeoutMs: 90_000,
  pingIntervalMs: 30_000,
  /** Connections of one address that are not logged in. */
  connectionsBeforeLoginPerAddressMax: 64,
  /** Connections of one device. */
  connectionsPerDeviceMax: 8,
  /** Messages a device may append: a bucket of this size ... */
  appendBurst: 4000,
  /** ... refilled at this rate a second. */
  appendsPerSecond: 500,
  /** Signals and changes of presence that a device may make: a bucket of this size ... */
  signalBurst: 200,
  /** ... refilled at this rate a second. Each is told to everybody in its rooms. */
  signalsPerSecond: 20,
  /** Grants kept by a server. */
  grantsMax: 10_000,
  inviteUsesMax: 1000,
} as const;
