export const PatientPage = (_: Record<string, unknown>) => null;
