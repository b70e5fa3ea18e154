import type { Handler } from './operation.ts';

export const readLine: Handler<'readLine'> = async (_call, { insurerLine }) => ({ body: await insurerLine.read() });
