import { Problem } from '../problems.ts';
import { type Group, type Operation, type OperationName, operations } from '../routes.ts';
import type { Middleware } from './request.ts';

/** Finds the operation of an API Gateway route, among the operations of one group. */
export function operationSearch(group: Group): Middleware {
  const table = Object.entries(operations) as [OperationName, Operation][];
  const own = new Map(
    table
      .filter(([, operation]) => operation.group === group)
      .map(([name, { method, path }]) => [`${method} ${path}`, name]),
  );
  return {
    before: ({ event, context }) => {
      const name = own.get(`${event.httpMethod} ${event.resource}`);
      if (name === undefined) throw new Problem('not-found');
      context.facts.operation = name;
    },
  };
}

/** Returns the operation of a request. @throws Problem `not-found` if it has not been found */
export function operationOf({ operation }: { readonly operation?: OperationName }): Operation {
  if (operation === undefined) throw new Problem('not-found');
  return operations[operation];
}
