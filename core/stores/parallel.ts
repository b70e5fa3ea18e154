/**
 * Calls `work` for each item, up to `atOnce` calls at the same time. After a failure no new call starts, and the first
 * failure is thrown once all calls in flight have ended. So no late write can follow a cleanup.
 */
export async function forEachParallel<Item>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const lane = async () => {
    for (let next = queue.next(); !next.done && failures.length === 0; next = queue.next()) {
      await work(next.value).catch((failure: unknown) => failures.push(failure));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (failures.length > 0) throw failures[0];
}

/**
 * Yields the results of `read` in the order of the items. Up to `atOnce` reads are in progress, or have ended and wait here. If
 * the caller stops early, the others go on, and their failures are ignored.
 */
export async function* readAhead<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  read: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const queue = items[Symbol.iterator]();
  const reads: Promise<Result>[] = [];
  const begin = (): void => {
    const next = queue.next();
    if (next.done) return;
    const reading = read(next.value);
    reading.catch(() => {}); // thrown when its turn comes
    reads.push(reading);
  };
  for (let count = 0; count < atOnce; count++) begin();
  for (let first = reads.shift(); first !== undefined; first = reads.shift()) {
    const result = await first;
    begin();
    yield result;
  }
}
