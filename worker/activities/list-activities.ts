import type { ListActivities } from '../../core/contract/list-activities.ts';
import { type ApplyListDeps, createApplyList } from './apply-list.ts';
import { createSplitList, type SplitListDeps } from './split-list.ts';

export const createListActivities = (deps: SplitListDeps & ApplyListDeps): ListActivities => ({
  ...createSplitList(deps),
  ...createApplyList(deps),
});
