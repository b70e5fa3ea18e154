import type { DataKey, KeyWrapper } from './key-wrapper.ts';

/** How long a data key encrypts before another one is asked for, and how long it goes on while none is to be had. */
const refreshMs = 60 * 60 * 1000;
const lifetimeMs = 24 * refreshMs;
/** Uses of a key with random IVs, far below the 2^32 that are safe. */
const refreshUses = 2 ** 28;
const lifetimeUses = 2 ** 30;
/** Pause between two tries to get one. */
const askAgainMs = 60_000;
/** Unwrapped keys that are kept, some 500 bytes each. */
const unwrappedMax = 5_000;

/** The data keys of one process: one that encrypts, and those that it has met when it decrypted. */
export interface DataKeys {
  /** @throws CodecError `unavailable` before the first key was had, or when the last one is too old */
  current(payloads: number): Promise<DataKey>;
  /** Asks the wrapper once for each wrapped key. @throws CodecError `unknown-key`, `tampered`, `unavailable` */
  unwrapped(keyId: string, wrappedKey: Uint8Array): Promise<Buffer>;
}

interface Used extends DataKey {
  readonly madeAtMs: number;
  uses: number;
}

/** @param nowMs for tests of what has grown old */
export function createDataKeys(wrapper: KeyWrapper, nowMs: () => number = Date.now): DataKeys {
  const unwrapped = new Map<string, Promise<Buffer>>();
  let newest: Used | undefined;
  let refresh: Promise<Used> | undefined;
  let refusedAtMs = Number.NEGATIVE_INFINITY;

  const keep = (name: string, key: Promise<Buffer>): void => {
    unwrapped.delete(name); // those asked for last stand last
    unwrapped.set(name, key);
    const [oldest] = unwrapped.keys();
    if (unwrapped.size > unwrappedMax && oldest !== undefined) unwrapped.delete(oldest);
  };

  /** One at a time, whoever waits for it. */
  const renew = (): Promise<Used> => {
    refresh ??= wrapper
      .createDataKey()
      .then((made) => {
        keep(nameOf(made.keyId, made.wrappedKey), Promise.resolve(made.key));
        newest = { ...made, madeAtMs: nowMs(), uses: 0 };
        return newest;
      })
      .catch((error: unknown) => {
        refusedAtMs = nowMs();
        throw error;
      })
      .finally(() => {
        refresh = undefined;
      });
    return refresh;
  };

  const isOlder = ({ madeAtMs, uses }: Used, ageMs: number, usesMax: number): boolean =>
    nowMs() - madeAtMs >= ageMs || uses >= usesMax;

  return {
    async current(payloads) {
      const key = newest === undefined || isOlder(newest, lifetimeMs, lifetimeUses) ? await renew() : newest;
      key.uses += payloads;
      // nobody waits for the next one while this one is good
      if (isOlder(key, refreshMs, refreshUses) && nowMs() - refusedAtMs >= askAgainMs) renew().catch(() => {});
      return key;
    },

    async unwrapped(keyId, wrappedKey) {
      const name = nameOf(keyId, wrappedKey);
      const known = unwrapped.get(name) ?? wrapper.unwrap(keyId, wrappedKey);
      keep(name, known);
      try {
        return await known;
      } catch (error) {
        if (unwrapped.get(name) === known) unwrapped.delete(name); // the next one asks again
        throw error;
      }
    },
  };
}

const nameOf = (keyId: string, wrappedKey: Uint8Array): string =>
  `${keyId} ${Buffer.from(wrappedKey).toString('base64')}`;
