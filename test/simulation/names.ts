export const insurerId = 'kk';

/** Returns the holder ID of a worker. */
export const holderOf = (worker: string): string => `holder-${worker}`;

/** Returns the worker with this holder ID. */
export const workerOf = (holder: string): string => holder.slice('holder-'.length);

/** First letter of the KVNRs of each queue's tasks, which tells the judge who asks. */
export const kvnrLetters = { bulk: 'A', urgent: 'B' } as const;
