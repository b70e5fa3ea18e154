import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { RunSample } from '../../core/domain/run-sample.ts';
import { ApiError, isTransient } from './client.ts';
import { useConnection } from './context.ts';
import { nextPollMs } from './polling.ts';
import type {
  AccessLogPage,
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

/** How often is looked, ms: while something happens, and else. */
const activePollMs = 1_000;
const idlePollMs = 4_000;

type Paged<Answer> = Answer & { readonly nextToken?: string };

export const isProblem = (error: unknown, problem: ApiError['problem']): boolean =>
  error instanceof ApiError && error.problem === problem;

/** undefined before the first run. */
export function useProgress() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['progress'],
    queryFn: async ({ signal }) => await nullOnProblem('no-run-yet', api.get<Progress>('/sync', {}, signal)),
    refetchInterval: (query) => nextPollMs(query, query.state.data?.state === 'running' ? activePollMs : idlePollMs),
  });
}

/** null when no worker has kept the line yet. */
export function useLine() {
  const { api } = useConnection();
  return useQuery({
    queryKey: ['line'],
    queryFn: async ({ signal }) => await nullOnProblem('line-unknown', api.get<LineWithChanges>('/line', {}, signal)),
    refetchInterval: (query) => nextPollMs(query, activePollMs),
  });
}

/** How a run has gone; null before the first one. Looked at now and then: what is new since is in its progress. */
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

/** For what is read once, not polled: asked again, ever more seldom, until there is an answer, be it no. */
const retryUntilAnswered = { retry: (_failures: number, error: Error) => isTransient(error) } as const;

/** More are read once, as all pages are read anew each time. */
const polledPagesMax = 2;

/** The issues of a run, page after page, a thousand each. */
export function useIssues(runId: string | undefined) {
  const { api } = useConnection();
  return useInfiniteQuery({
    queryKey: ['issues', runId ?? ''],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<Paged<{ issues: Issue[] }>>('/sync/issues', { runId, nextToken: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextToken }) => nextToken,
    structuralSharing: false, // pages of a thousand need no comparing
    staleTime: Number.POSITIVE_INFINITY,
    ...retryUntilAnswered,
    refetchInterval: (query) =>
      (query.state.data?.pages.length ?? 0) <= polledPagesMax && nextPollMs(query, 2 * idlePollMs),
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
    staleTime: Number.POSITIVE_INFINITY, // each look is an access entry: once, and again when something has changed
    ...retryUntilAnswered,
    refetchOnWindowFocus: false,
    gcTime: 0, // nobody finds a patient in a page that has been left
  });
}

export const isSyncActive = (sync: Pick<LastSync, 'state'> | null | undefined): boolean =>
  sync?.state === 'requested' || sync?.state === 'running';

const firstSyncPollMs = 300;
const maxSyncPollMs = 10_000;
/** A sync that waits for the line to be opened waits for people. */
const pausedSyncPollMs = 60_000;

/** What became of a sync; asked for seldom once it takes long, as each look is an access entry. null: nobody has asked for one. */
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
      if (status === 'error') return isTransient(error) && nextPollMs(query, 1_000);
      if (!data || !isSyncActive(data)) return false;
      if (data.line?.state === 'paused') return pausedSyncPollMs;
      const nowMs = performance.now();
      if (followed.current.syncId !== data.syncId) followed.current = { syncId: data.syncId, sinceMs: nowMs };
      return Math.min(maxSyncPollMs, Math.max(firstSyncPollMs, (nowMs - followed.current.sinceMs) / 2));
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
      client.setQueryData<SyncNow | null>(['last-sync', patientRef], (seen) => {
        const lineNow = line && { line: { state: line.state } };
        if (seen?.syncId === syncId) return { ...seen, ...lineNow }; // joined, and perhaps seen further by now
        if (seen && seen.requestedAt > requestedAt) return seen;
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
    gcTime: 0, // the number is forgotten with the answer
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
    staleTime: Number.POSITIVE_INFINITY, // each look is an entry of the log itself
    ...retryUntilAnswered,
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
}

export function useVerify(patientRef: string) {
  const { api } = useConnection();
  return useMutation({
    mutationFn: async () => await api.get<Verification>(`/patients/${patientRef}/access-log/verification`),
  });
}

/** A wish to pause or resume the line. */
export function useLineCommand(wish: 'pause' | 'resume') {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationKey: ['line-wish', wish],
    mutationFn: async (reason: string) => await api.post<Line>(`/line/${wish}`, { reason }),
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

/** What is decided about which removals: the API refuses it when others wait by now. */
export interface RemovalsDecision {
  readonly runId: string;
  readonly decision: 'approve' | 'reject';
  readonly removals: number;
}

export function useDecideRemovals() {
  return useRunCommand<RemovalsDecision>(
    async (api, { decision, removals }) => await api.post('/sync/removals', { decision, removals }),
  );
}

function useRunCommand<Wish, Answer = unknown>(
  act: (api: ReturnType<typeof useConnection>['api'], wish: Wish) => Promise<Answer>,
) {
  const { api } = useConnection();
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (wish: Wish) => await act(api, wish),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['progress'] });
    },
  });
}

/** An answer that says «not yet» is none. */
async function nullOnProblem<Answer>(problem: ApiError['problem'], answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (isProblem(error, problem)) return null;
    throw error;
  }
}
