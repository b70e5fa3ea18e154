const loopback = ['127.0.0.1', 'localhost'];

/**
 * Takes loopback out of what goes through a proxy, for this process and all that it starts: everything of the stack is
 * there, and a company's proxy would look for it on its own machine. Both spellings are read, by one program each.
 */
export function keepLoopbackDirect(environment: NodeJS.ProcessEnv): void {
  const given = environment['no_proxy'] || environment['NO_PROXY'] || '';
  const hosts = given.split(',').map((host) => host.trim());
  const all = [...new Set([...hosts, ...loopback])].filter((host) => host !== '').join(',');
  environment['no_proxy'] = all;
  environment['NO_PROXY'] = all;
  if (environment['no_grpc_proxy']) environment['no_grpc_proxy'] += `,${loopback.join(',')}`; // goes first in gRPC
}
