import { profileStoreConformance } from "./conformance.ts";
import { MemoryStore } from "./memory-store.ts";

profileStoreConformance("MemoryStore", { make: async () => new MemoryStore() });
