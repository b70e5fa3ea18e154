import type { Stores } from './clients.ts';
import type { ClientConfig } from './config.ts';
import { lineNow } from './daily-sync-client.ts';
import type { Gate } from './domain/gate.ts';
import { lineWishProblem } from './domain/line-wish.ts';
import { GateError } from './stores/gate.ts';

/**
 * `not-silent`: the gate is closed, and it could not be proved in time that nothing is under way any more. `resumed`: by
 * somebody else while the silence was waited for. `superseded`: paused or resumed by somebody else just then
 */
export type InsurerLineFault = 'refused' | 'unknown-insurer' | 'unavailable' | 'not-silent' | 'resumed' | 'superseded';

export class InsurerLineError extends Error {
  override readonly name = 'InsurerLineError';
  readonly fault: InsurerLineFault;
  constructor(fault: InsurerLineFault, options?: ErrorOptions) {
    super(`insurer line: ${fault}`, options);
    this.fault = fault;
  }
}

/** The line as people are told of it. */
export type LineNow = Pick<Gate, 'state' | 'busy' | 'by' | 'since' | 'reason'>;

export interface InsurerLineWish {
  readonly operator: string;
  readonly reason: string;
}

/** What people do with the line of one insurer. */
export interface InsurerLineClient {
  /** Resolves once the line is silent. @throws InsurerLineError */
  pause(wish: InsurerLineWish): Promise<LineNow>;
  /** Resolves once the line is open. @throws InsurerLineError */
  resume(wish: InsurerLineWish): Promise<LineNow>;
  /** @throws InsurerLineError `unknown-insurer`, `unavailable` */
  read(): Promise<LineNow>;
}

/** Longer than any lease's length and margin that is usual, and shorter than API Gateway's limit of 29 s. */
const silenceMs = 20_000;

export function createInsurerLineClient(
  { gateOf }: Pick<Stores, 'gateOf'>,
  { INSURER_ID: insurerId }: Pick<ClientConfig, 'INSURER_ID'>,
): InsurerLineClient {
  const gate = gateOf(insurerId);
  const change = async (to: 'pause' | 'resume', { operator, reason }: InsurerLineWish): Promise<Gate> => {
    if (lineWishProblem({ operator, reason }) !== undefined) throw new InsurerLineError('refused');
    const { changeNumber: seen } = await gate.find();
    return await gate[to]({ by: operator, reason, seen });
  };
  return {
    pause: async (wish) => {
      await change('pause', wish).catch(rethrow);
      return lineNow(await gate.awaitSilence(AbortSignal.timeout(silenceMs)).catch(rethrow));
    },
    resume: async (wish) => lineNow(await change('resume', wish).catch(rethrow)),
    read: async () => lineNow(await gate.find().catch(rethrow)),
  };
}

function rethrow(error: unknown): never {
  if (error instanceof GateError) throw new InsurerLineError(error.fault, { cause: error });
  if (error instanceof DOMException) throw new InsurerLineError('not-silent', { cause: error });
  throw error;
}
