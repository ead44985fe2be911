import { statSync } from "node:fs";
import { basename, join } from "node:path";
import type { ObjectOptions } from "@sotto/sdk";
import { fileSource, saveTo } from "@sotto/sdk/node";
import type { Method } from "./methods.ts";
import { optionalText, type Params, text } from "./params.ts";
import { readable } from "./readable.ts";

export const share: Method = async (profile, params, { item, signal }) => {
  const client = await profile.client();
  await client.online();
  await using source = await fileSource(text(params, "file"));
  const target = text(params, "target");
  if (!target.startsWith("@")) await client.rooms.waitFor(target, 5_000);
  return await client.media.share(target, source, {
    signal,
    onProgress: (done, total) => void item({ done, total }),
  });
};

export const media: Method = async (profile, params, context) => {
  const client = await profile.client();
  await readable(client, context);
  const room = optionalText(params, "room");
  const list = await client.media.list(
    room === undefined ? undefined : client.rooms.find(room).room,
  );
  return list.map(({ sender, ...rest }) => ({
    ...rest,
    sender: client.people.name(sender),
    senderId: sender,
  }));
};

export const save: Method = async (profile, params, { item, signal }) => {
  const client = await profile.client();
  await client.ready();
  const object = text(params, "object");
  const opened = await client.media.open(object, roomOf(params));
  const given = optionalText(params, "path") ?? text(params, "folder");
  const keepExisting = isFolder(given);
  const path = keepExisting ? join(given, fileName(opened.name, object)) : given;
  const onProgress = (done: number, total: number) => void item({ done, total });
  return await saveTo(opened, path, { signal, onProgress, keepExisting });
};

export const watch: Method = async (profile, params, { item, signal }) => {
  const client = await profile.client();
  await client.ready();
  const server = await profile.watch();
  await using served = await server.serve(text(params, "object"), roomOf(params));
  await item({ url: served.url, bytes: served.bytes, name: served.name, mime: served.mime });
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  return { ended: true };
};

/** The room that was named, where one was. */
function roomOf(params: Params): ObjectOptions {
  const room = optionalText(params, "room");
  return room === undefined ? {} : { room };
}

/** The sender chose the name: only its last part is used, never as a path, and no control characters of it. */
function fileName(name: string, object: string): string {
  const last = basename(name.replaceAll("\\", "/")).replace(/[\p{Cc}\p{Cf}]/gu, "_");
  return last === "" || last === "." || last === ".." ? object : last;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
