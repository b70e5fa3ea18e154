export const LogPage = (_: Record<string, unknown>) => null;
