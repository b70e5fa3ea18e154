import { createSecretKey } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import type { ListActivities } from '../../core/contract/list-activities.ts';
import { entryRefOf, patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { ShardLine } from '../../core/domain/diff.ts';
import { flaggedIssuesMax, type Issue } from '../../core/domain/issue.ts';
import { entryLimits, readEntry } from '../../core/domain/patient-entry.ts';
import { addProblems, type ProblemCount } from '../../core/domain/quality.ts';
import { type JsonArrayElement, JsonArrayError, splitJsonArray } from '../../core/json/array-splitter.ts';
import { asUtf8 } from '../../core/json/charset.ts';
import { type ListsStore, shardLineText } from '../../core/stores/lists.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';
import { ShardWriter } from './shard-writer.ts';

export interface SplitListDeps {
  readonly lists: ListsStore;
  readonly syncRuns: Pick<SyncRunsStore, 'addIssues'>;
  readonly pseudonymKey: Buffer;
}

/** Maximum number of issues of each kind recorded per list. Further entries are only counted. */
const issuesMax = { quarantined: 10_000, flagged: flaggedIssuesMax };

export const createSplitList = ({
  lists,
  syncRuns,
  pseudonymKey,
}: SplitListDeps): Pick<ListActivities, 'splitPatientList'> => ({
  async splitPatientList({ insurerId, runId, list: { listId, manifest, charset = 'utf-8' } }) {
    return await withHeartbeats(undefined, async ({ signal }) => {
      const writer = new ShardWriter((shard, part, lines) => lists.putShardPart(listId, shard, part, lines));
      const key = createSecretKey(pseudonymKey);
      const issues: Issue[] = [];
      let entries = 0;
      let quarantined = 0;
      let unreadable = 0;
      let flagged = 0;
      let problems: readonly ProblemCount[] = [];
      const write = (line: ShardLine): void => writer.add(shardIndexOf(line.patientRef), shardLineText(line));
      const addElement = (element: JsonArrayElement): void => {
        entries += 1;
        const entry = readEntry(element);
        if (entry.kind === 'readable') {
          const { kvnr, contentHash, body, flags } = entry;
          const patientRef = patientRefOf(kvnr, key);
          write({ patientRef, kvnr, contentHash, body });
          if (flags === undefined) return;
          flagged += 1;
          problems = addProblems(problems, flags);
          if (flagged <= issuesMax.flagged)
            issues.push({ kind: 'flagged', reason: flags, position: element.position, patientRef });
          return;
        }
        quarantined += 1;
        problems = addProblems(problems, entry.reason);
        if (!entry.isIdentified) unreadable += 1;
        const people = entry.kvnrs.map((kvnr) => patientRefOf(kvnr, key));
        for (const patientRef of people) write({ patientRef, quarantined: true });
        const [patientRef] = people;
        if (quarantined <= issuesMax.quarantined)
          issues.push({
            kind: 'quarantined',
            reason: entry.reason,
            position: element.position,
            ...(patientRef !== undefined
              ? { patientRef }
              : element.text !== '' && { entryRef: entryRefOf(element.text, key) }),
          });
      };
      try {
        const segments = await lists.readManifest(manifest);
        for await (const elements of splitJsonArray(asUtf8(lists.openSegments(segments), charset), entryLimits)) {
          signal.throwIfAborted();
          for (const element of elements) addElement(element);
          await writer.drain();
        }
        await writer.finish();
      } catch (error) {
        await writer.abandon();
        throw asListUnusable(error);
      }
      const known = await syncRuns.addIssues(insurerId, runId, issues); // only once the whole list has turned out to be valid JSON
      const acknowledged = known.filter(({ kind }) => kind === 'quarantined').length;
      return { entries, flagged, quarantined, acknowledged, problems, unreadable, shardParts: writer.parts };
    });
  },
});

const shardIndexOf = (patientRef: string): number => Number.parseInt(patientRef.slice(0, 2), 16);

/** Maps an error that a retry cannot fix, because the stored bytes are invalid, to `ListUnusable`: the list must be fetched again. */
function asListUnusable(error: unknown): unknown {
  if (!(error instanceof JsonArrayError || error instanceof PayloadError)) return error;
  const details = [error instanceof JsonArrayError ? error.fault : `segment-${error.fault}`];
  return ApplicationFailure.create({ type: 'ListUnusable', message: 'list unusable', nonRetryable: true, details });
}
