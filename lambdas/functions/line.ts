import { serve } from '../http/serve.ts';
import { liftCooldown } from '../operations/lift-cooldown.ts';
import { pauseLine } from '../operations/pause-line.ts';
import { readLine } from '../operations/read-line.ts';
import { resumeLine } from '../operations/resume-line.ts';
import { setPace } from '../operations/set-pace.ts';

export const handler = serve('line', { readLine, pauseLine, resumeLine, liftCooldown, setPace });
