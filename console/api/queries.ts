import {
  type InfiniteData,
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useRef } from 'react';
import { isExportInProgress } from '../../core/domain/export.ts';
import type { PersonSearch } from '../../core/domain/name-search.ts';
import type { RunSample } from '../../core/domain/run-sample.ts';
import { nextSyncPollMs } from '../../core/domain/sync-polling.ts';
import { type Api, ApiError, isTransient } from './client.ts';
import { useConnection } from './context.ts';
import { nextPollMs } from './polling.ts';
import type {
  AccessLogCheck,
  AccessLogPage,
  Acknowledgement,
  Export,
  FoundPatients,
  Issue,
  LastSync,
  Line,
  LineWithChanges,
  PatientPage,
  Progress,
  RequestedSync,
  SyncNow,
  Verification,
} from './types.ts';

/** Polling interval in milliseconds: during a run, and otherwise. */
const activePollMs = 1_000;
const idlePollMs = 4_000;

type Paged<Answer> = Answer & { readonly nextToken?: string };

export const isProblem = (error: unknown, problem: ApiError['problem']): boolean =>
  error instanceof ApiError && error.problem === problem;

/** Polls the progress of the newest run; null before the first run. */
export function useProgress() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['progress'],
    queryFn: async ({ signal }) => await nullOnProblem('no-run-yet', api.get<Progress>('/sync', {}, signal)),
    refetchInterval: (query) => nextPollMs(query, query.state.data?.state === 'running' ? activePollMs : idlePollMs),
  });
}

/** Polls the state of the line; null before a worker has used it. */
export function useLine() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['line'],
    queryFn: async ({ signal }) => await nullOnProblem('line-unknown', api.get<LineWithChanges>('/line', {}, signal)),
    refetchInterval: (query) => nextPollMs(query, activePollMs),
  });
}

/** Polls the saved samples of a run, but rarely: newer figures come with its progress. null before the first run. */
export function useRunSamples(runId: string) {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['run-samples', runId],
    queryFn: async ({ signal }) =>
      await nullOnProblem('no-run-yet', api.get<{ runId: string; samples: RunSample[] }>('/sync/samples', {}, signal)),
    refetchInterval: (query) => nextPollMs(query, 15 * idlePollMs),
  });
}

export function useRuns() {
  const { api } = useConnection();
  return useInfiniteQuery({
    queryKey: ['runs'],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<Paged<{ runs: Progress[] }>>('/sync/runs', { nextToken: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextToken }) => nextToken,
    refetchInterval: (query) => nextPollMs(query, 5 * idlePollMs),
  });
}

const dayMs = 86_400_000;

/** Loads all runs that have started in the last days, newest first. */
export function useRunsOfDays(days: number) {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['runs-of-days', days],
    queryFn: async ({ signal }) => {
      const since = new Date(Date.now() - days * dayMs).toISOString();
      const runs: Progress[] = [];
      let nextToken: string | undefined;
      do {
        const page = await api.get<Paged<{ runs: Progress[] }>>('/sync/runs', { nextToken }, signal);
        runs.push(...page.runs.filter(({ startedAt }) => startedAt >= since));
        nextToken = (page.runs.at(-1)?.startedAt ?? '') >= since ? page.nextToken : undefined;
      } while (nextToken !== undefined);
      return runs;
    },
    refetchInterval: (query) => nextPollMs(query, 15 * idlePollMs),
  });
}

/** For queries without polling: retries transient errors with growing delays, until the API answers or rejects the request. */
const retryUntilAnswered = { retry: (_failures: number, error: Error) => isTransient(error) } as const;

/** Polling reloads all pages of a query, so a query with more pages than this is not polled. */
const polledPagesMax = 2;

/** Loads the issues of a run, in pages of a thousand. */
export function useIssues(runId: string | undefined) {
  const { api } = useConnection();
  return useInfiniteQuery({
    queryKey: ['issues', runId ?? ''],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<Paged<{ issues: Issue[] }>>('/sync/issues', { runId, nextToken: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextToken }) => nextToken,
    structuralSharing: false, // comparing pages of a thousand entries is slow
    staleTime: Number.POSITIVE_INFINITY,
    ...retryUntilAnswered,
    refetchInterval: (query) =>
      (query.state.data?.pages.length ?? 0) <= polledPagesMax && nextPollMs(query, 2 * idlePollMs),
  });
}

/** Acknowledges issues, and shows it in the loaded issues of a run, which would take long to load again. */
export function useAcknowledge(runId: string) {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ issueIds, note }: { readonly issueIds: readonly string[]; readonly note: string }) =>
      await api.post<Acknowledgement>('/sync/issues/acknowledgements', { issueIds, note }),
    onSuccess: (acknowledged, { issueIds }) => {
      const ids = new Set(issueIds);
      client.setQueryData<InfiniteData<Paged<{ issues: Issue[] }>>>(
        ['issues', runId],
        (loaded) =>
          loaded && {
            ...loaded,
            pages: loaded.pages.map((page) => ({
              ...page,
              issues: page.issues.map((issue) => (ids.has(issue.id) ? { ...issue, acknowledged } : issue)),
            })),
          },
      );
    },
  });
}

export function usePatient(patientRef: string) {
  const { api } = useConnection();
  return useInfiniteQuery({
    queryKey: ['patient', patientRef],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<PatientPage>(`/patients/${patientRef}`, { nextToken: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextToken }) => nextToken,
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY, // each request is recorded in the access log, so it is repeated only after a change
    ...retryUntilAnswered,
    refetchOnWindowFocus: false,
    gcTime: 0, // removes the patient's data from memory when the page is left
  });
}

export const isSyncActive = (sync: Pick<LastSync, 'state'> | null | undefined): boolean =>
  sync?.state === 'requested' || sync?.state === 'running';

/** Number of times that the last sync of somebody who is not stored is read again. */
const unknownAnswersMax = 3;

/** Polls the patient's last sync, less often the longer it waits; null if no sync was requested. */
export function useLastSync(patientRef: string, known?: LastSync | null) {
  const { api } = useConnection();
  const followed = useRef({ syncId: '', sinceMs: 0 });
  return useQuery<SyncNow | null>({
    queryKey: ['last-sync', patientRef],
    queryFn: async ({ signal }) =>
      await nullOnProblem('no-sync-yet', api.get<SyncNow>(`/patients/${patientRef}/sync`, {}, signal)),
    ...(known !== undefined && { initialData: known }),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: (query) => {
      const { data, status, error } = query.state;
      if (status === 'error') {
        // while somebody is being removed, the API does not have the result of the sync yet
        const isPerhapsLate = isProblem(error, 'patient-unknown') && query.state.errorUpdateCount <= unknownAnswersMax;
        return (isPerhapsLate || isTransient(error)) && nextPollMs(query, 1_000);
      }
      if (!data || !isSyncActive(data)) return false;
      const nowMs = performance.now();
      if (followed.current.syncId !== data.syncId) followed.current = { syncId: data.syncId, sinceMs: nowMs };
      return nextSyncPollMs(data.line, nowMs - followed.current.sinceMs, Date.now());
    },
    refetchOnWindowFocus: (query) => isSyncActive(query.state.data) && 'always',
    gcTime: 0,
  });
}

export function useRequestSync(patientRef: string) {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => await api.post<RequestedSync>('/patient-syncs', { patientRef }),
    onSuccess: async ({ syncId, state, requestedAt, line }) => {
      client.setQueryData<SyncNow | null>(['last-sync', patientRef], (known) => {
        const { until, cooldown, quietHours } = line ?? {};
        const ends = { ...(until && { until }), ...(cooldown && { cooldown }), ...(quietHours && { quietHours }) };
        const lineNow = line && { line: { state: line.state, ...ends } };
        // the request joined a sync that the page shows already, perhaps in a later state
        if (known?.syncId === syncId) return { ...known, ...lineNow };
        if (known && known.requestedAt > requestedAt) return known;
        return { syncId, state, requestedAt, requestedBy: '', ...lineNow };
      });
      await client.invalidateQueries({ queryKey: ['last-sync', patientRef] });
    },
  });
}

export function useLookup() {
  const { api } = useConnection();
  return useMutation({
    mutationFn: async (kvnr: string) => await api.post<{ patientRef: string }>('/patients/lookup', { kvnr }),
    gcTime: 0, // removes the KVNR from memory after the answer
  });
}

/** Finds people by birth date and name. */
export function useSearch() {
  const { api } = useConnection();
  return useMutation({
    mutationFn: async (search: PersonSearch) => await api.post<FoundPatients>('/patients/search', search),
    gcTime: 0, // removes the names from memory when the page is left
  });
}

/** Requests a sync of somebody who is not stored. */
export function useAskInsurer() {
  const { api } = useConnection();
  return useMutation({
    mutationFn: async (kvnr: string) => await api.post<RequestedSync>('/patient-syncs', { kvnr }),
    gcTime: 0, // removes the KVNR from memory after the answer
  });
}

export interface AccessLogFilter {
  readonly who?: string;
  readonly role?: string;
  readonly operation?: string;
  readonly from?: string;
  readonly to?: string;
}

export function useAccessLog(patientRef: string, filter: AccessLogFilter) {
  const { api } = useConnection();
  return useInfiniteQuery({
    queryKey: ['access-log', patientRef, filter],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<AccessLogPage>(
        `/patients/${patientRef}/access-log`,
        { ...filter, order: 'newest', nextToken: pageParam },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextToken }) => nextToken,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY, // each request adds an entry to the log
    ...retryUntilAnswered,
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
}

/** Polls the last check of all access logs; null before the first one. */
export function useAccessLogCheck() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['access-log-check'],
    queryFn: async ({ signal }) =>
      (await api.get<{ readonly check?: AccessLogCheck }>('/access-logs/check', {}, signal)).check ?? null,
    refetchInterval: (query) => nextPollMs(query, query.state.data?.state === 'running' ? idlePollMs : 15 * idlePollMs),
  });
}

export function useCheckAccessLogs() {
  const { api } = useConnection();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async () => await api.post('/access-logs/check'),
    onSuccess: async () => await queries.invalidateQueries({ queryKey: ['access-log-check'] }),
  });
}

/** Polls the exports, newest first, without their files. */
export function useExports() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['exports'],
    queryFn: async ({ signal }) => (await api.get<{ exports: readonly Export[] }>('/exports', {}, signal)).exports,
    refetchInterval: (query) =>
      nextPollMs(query, query.state.data?.some(isExportInProgress) ? idlePollMs : 15 * idlePollMs),
  });
}

/** Polls one export. Each answer has new links to its files, which are valid for a quarter of an hour. */
export function useExport(exportId: string) {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['exports', exportId],
    queryFn: async ({ signal }) => await api.get<Export>(`/exports/${exportId}`, {}, signal),
    refetchInterval: (query) =>
      nextPollMs(query, query.state.data && isExportInProgress(query.state.data) ? idlePollMs : 75 * idlePollMs),
  });
}

/** Starts an export, or changes the one that `exportId` names. */
export function useExportCommand() {
  const { api } = useConnection();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ command, exportId }: ExportCommand) =>
      await api.post<Export>(command === 'start' ? '/exports' : `/exports/${exportId}/${command}`),
    onSettled: async () => await queries.invalidateQueries({ queryKey: ['exports'] }),
  });
}

type ExportCommand =
  | { readonly command: 'start'; readonly exportId?: undefined }
  | { readonly command: 'pause' | 'resume' | 'cancel'; readonly exportId: string };

export function useVerify(patientRef: string) {
  const { api } = useConnection();
  return useMutation({
    mutationFn: async () => await api.get<Verification>(`/patients/${patientRef}/access-log/verification`),
  });
}

/** Pauses or resumes the line, or lifts its cooldown. `until`: the end of a timed pause. */
export function useLineCommand(command: 'pause' | 'resume' | 'lift') {
  return useLineChange<{ readonly reason: string; readonly until?: string | undefined }>(
    command,
    async (api, why) => await api.post(`/line/${command}`, why),
  );
}

/** null: the default of the workers applies again. */
export function useSetPace() {
  return useLineChange<{ readonly requestsPerMinute: number | null; readonly reason: string }>(
    'pace',
    async (api, pace) => await api.post('/line/pace', pace),
  );
}

function useLineChange<Command>(name: string, send: (api: Api, command: Command) => Promise<Line>) {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationKey: ['line-command', name],
    mutationFn: async (command: Command) => await send(api, command),
    onSuccess: (line) => {
      client.setQueryData<LineWithChanges | null>(['line'], (before) => ({ changes: [], ...before, ...line }));
    },
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['line'] });
    },
  });
}

export function useStartRun() {
  return useRunCommand<void, { readonly runId: string }>(async (api) => await api.post('/sync'));
}

export function useCancelRun() {
  return useRunCommand<{ readonly runId: string; readonly reason: string }>(
    async (api, { reason }) => await api.post('/sync/cancel', { reason }),
  );
}

/** A decision about the removals of a list. The API rejects it if another list waits, or a newer one is on its way. */
export interface RemovalsDecision {
  readonly runId: string;
  readonly decision: 'approve' | 'reject';
  readonly listId: string;
}

export function useDecideRemovals() {
  return useRunCommand<RemovalsDecision>(
    async (api, { decision, listId }) => await api.post('/sync/removals', { decision, listId }),
  );
}

function useRunCommand<Command, Answer = unknown>(
  act: (api: ReturnType<typeof useConnection>['api'], command: Command) => Promise<Answer>,
) {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (command: Command) => await act(api, command),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['progress'] });
    },
  });
}

/** Returns null instead of throwing, if the answer is the problem. */
async function nullOnProblem<Answer>(problem: ApiError['problem'], answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (isProblem(error, problem)) return null;
    throw error;
  }
}
