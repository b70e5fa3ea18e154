import type { Handler } from '../http/operation.ts';

export const readLine: Handler<'readLine'> = async (_call, { insurerLine }) => {
  const [line, changes] = await Promise.all([insurerLine.read(), insurerLine.readChanges()]);
  return { body: { ...line, changes } };
};
