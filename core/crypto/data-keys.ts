import type { DataKey, KeyWrapper } from './key-wrapper.ts';

/** A data key is replaced after the first time. If no new key is available, it is used until the second time. */
const refreshMs = 60 * 60 * 1000;
const lifetimeMs = 24 * refreshMs;
/** The same in uses. With random IVs, 2^32 uses of a key are safe. */
const refreshUses = 2 ** 28;
const lifetimeUses = 2 ** 30;
/** Pause between two attempts to get a new key. */
const retryMs = 60_000;
/** Number of unwrapped keys in the cache, about 500 bytes each. */
const unwrappedMax = 5_000;

/** The data keys of one process: the current key for encryption, and a cache of keys for decryption. */
export interface DataKeys {
  /** Returns the key for encryption. @throws CodecError `unavailable` if there is no key, or the last key is too old */
  current(payloads: number): Promise<DataKey>;
  /** Unwraps a key, or returns it from the cache. @throws CodecError `unknown-key`, `tampered`, `unavailable` */
  unwrapped(keyId: string, wrappedKey: Uint8Array): Promise<Buffer>;
}

interface UsedKey extends DataKey {
  readonly madeAtMs: number;
  uses: number;
}

/** @param nowMs lets tests control the age of keys */
export function createDataKeys(wrapper: KeyWrapper, nowMs: () => number = Date.now): DataKeys {
  const unwrapped = new Map<string, Promise<Buffer>>();
  let newest: UsedKey | undefined;
  let refresh: Promise<UsedKey> | undefined;
  let failedAtMs = Number.NEGATIVE_INFINITY;

  const keep = (name: string, key: Promise<Buffer>): void => {
    unwrapped.delete(name); // moves the key to the end: the first entry is the least recently used
    unwrapped.set(name, key);
    const [oldest] = unwrapped.keys();
    if (unwrapped.size > unwrappedMax && oldest !== undefined) unwrapped.delete(oldest);
  };

  /** Creates a new key. Concurrent callers share one call. */
  const renew = (): Promise<UsedKey> => {
    refresh ??= wrapper
      .createDataKey()
      .then((made) => {
        keep(nameOf(made.keyId, made.wrappedKey), Promise.resolve(made.key));
        newest = { ...made, madeAtMs: nowMs(), uses: 0 };
        return newest;
      })
      .catch((error: unknown) => {
        failedAtMs = nowMs();
        throw error;
      })
      .finally(() => {
        refresh = undefined;
      });
    return refresh;
  };

  const isOlder = ({ madeAtMs, uses }: UsedKey, ageMs: number, usesMax: number): boolean =>
    nowMs() - madeAtMs >= ageMs || uses >= usesMax;

  return {
    async current(payloads) {
      const key = newest === undefined || isOlder(newest, lifetimeMs, lifetimeUses) ? await renew() : newest;
      key.uses += payloads;
      // renews in the background while this key is still valid
      if (isOlder(key, refreshMs, refreshUses) && nowMs() - failedAtMs >= retryMs) renew().catch(() => {});
      return key;
    },

    async unwrapped(keyId, wrappedKey) {
      const name = nameOf(keyId, wrappedKey);
      const known = unwrapped.get(name) ?? wrapper.unwrap(keyId, wrappedKey);
      keep(name, known);
      try {
        return await known;
      } catch (error) {
        if (unwrapped.get(name) === known) unwrapped.delete(name); // the next call tries again
        throw error;
      }
    },
  };
}

const nameOf = (keyId: string, wrappedKey: Uint8Array): string =>
  `${keyId} ${Buffer.from(wrappedKey).toString('base64')}`;
