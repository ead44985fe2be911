export {
  type DeviceId,
  ErrorCode,
  type MessageId,
  type ObjectId,
  type RoomId,
  SottoError,
  type UserId,
} from "@sotto/protocol";
export { Archive } from "./archive/archive.ts";
export { allChecks, type Checks } from "./checks.ts";
export { SottoClient } from "./client.ts";
export { DevicesDesk, type OwnDevice } from "./devices/devices-desk.ts";
export { Link, type LinkedDevice } from "./devices/give-link.ts";
export { type RecoverOptions, recover } from "./devices/recover.ts";
export { RecoveryDesk, type RecoveryState } from "./devices/recovery-desk.ts";
export { joinByLink, type LinkJoinOptions } from "./devices/take-link.ts";
export { isUnfinished } from "./devices/unfinished.ts";
export type { AuditFault, AuditReport } from "./directory/audit.ts";
export { DirectoryDesk, type DirectoryView } from "./directory/directory-desk.ts";
export type { DirectoryFault, HeadWords } from "./directory/directory-fault.ts";
export type { DirectoryStanding } from "./directory/directory-trust.ts";
export { isConnectionLoss, SottoClientError, type SottoClientErrorCode } from "./errors.ts";
export type { ClientEvent, PresenceWord } from "./events.ts";
export type { ListenOptions } from "./history/history.ts";
export type {
  HistoryEntry,
  HistoryUnavailableEntry,
  KeysChangedEntry,
  MediaDeletedEntry,
  MediaEntry,
  MembershipEntry,
  MessageEntry,
  MessagesMissingEntry,
  NumberedEntry,
  PolicyEntry,
  TitleEntry,
} from "./history/history-entry.ts";
export type { CreatedInvite, InviteOptions } from "./invites.ts";
export { type JoinOptions, join, nameInInvite } from "./join.ts";
export {
  MediaLibrary,
  type MediaView,
  type ObjectOptions,
  type OpenedMedia,
} from "./media/media-library.ts";
export type { MediaSource } from "./media/media-source.ts";
export type { Shared, ShareOptions } from "./media/share-media.ts";
export type { ClientOptions } from "./open-client.ts";
export { type DeviceView, People, type PersonKeys } from "./people.ts";
export { MemoryStore } from "./ports/memory-store.ts";
export type {
  ProfileStore,
  ScanRange,
  StoreChange,
  StoreEntry,
  StoreTable,
} from "./ports/profile-store.ts";
export type {
  ServerAddress,
  Transport,
  TransportConnection,
  TransportEvents,
} from "./ports/transport.ts";
export { loadProfile, type Profile } from "./profile.ts";
export { type MemberView, RoomDesk, type RoomView } from "./room-desk.ts";
export type { HistoryWord } from "./rooms/policy.ts";
export type { Sent } from "./rooms/sender.ts";
export { webSocketTransport } from "./web/web-socket-transport.ts";
