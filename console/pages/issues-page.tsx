export const IssuesPage = (_: Record<string, unknown>) => null;
