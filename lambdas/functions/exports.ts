import { serve } from '../http/serve.ts';
import {
  cancelExport,
  listExports,
  pauseExport,
  readExport,
  resumeExport,
  startExport,
} from '../operations/exports.ts';

export const handler = serve('exports', {
  startExport,
  listExports,
  readExport,
  pauseExport,
  resumeExport,
  cancelExport,
});
