const loopback = ['127.0.0.1', 'localhost'];

/**
 * Excludes loopback from the proxy, for this process and its children. The whole stack is on loopback, where a company
 * proxy
 * cannot reach it. Some programs read `no_proxy`, others `NO_PROXY`.
 */
export function keepLoopbackDirect(environment: NodeJS.ProcessEnv): void {
  const given = environment['no_proxy'] || environment['NO_PROXY'] || '';
  const hosts = given.split(',').map((host) => host.trim());
  const all = [...new Set([...hosts, ...loopback])].filter((host) => host !== '').join(',');
  environment['no_proxy'] = all;
  environment['NO_PROXY'] = all;
  if (environment['no_grpc_proxy']) environment['no_grpc_proxy'] += `,${loopback.join(',')}`; // gRPC prefers it
}
