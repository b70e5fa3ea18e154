// The container's health check: exits with 0 if the worker in this container reports that it is healthy (worker/health.ts).
try {
  const { ok } = await fetch(`http://127.0.0.1:${process.argv[2]}/`, { signal: AbortSignal.timeout(4_000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
