import type { AccessRole, ReportLanguage } from './access-texts.ts';

/** What people read as the name of a role, in the console and in the report for patients. */
export const roleNames: Readonly<Record<ReportLanguage, Readonly<Record<AccessRole, string>>>> = {
  de: {
    operator: 'Betrieb',
    management: 'Geschäftsleitung',
    clinician: 'Behandlung',
    auditor: 'Datenschutz',
    integration: 'Schnittstelle',
    system: 'System',
    none: 'keine Rolle',
  },
  en: {
    operator: 'operator',
    management: 'management',
    clinician: 'clinician',
    auditor: 'auditor',
    integration: 'integration',
    system: 'system',
    none: 'no role',
  },
};
