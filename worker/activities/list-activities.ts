import type { ListActivities } from '../../core/contract/list-activities.ts';
import { type ApplyListDeps, createApplyList } from './apply-list.ts';
import { type ChangedKvnrsDeps, createChangedKvnrs } from './changed-kvnrs.ts';
import { createSplitList, type SplitListDeps } from './split-list.ts';

export const createListActivities = (deps: SplitListDeps & ApplyListDeps & ChangedKvnrsDeps): ListActivities => ({
  ...createSplitList(deps),
  ...createApplyList(deps),
  ...createChangedKvnrs(deps),
});
