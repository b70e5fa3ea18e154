import { Button } from '../components/button.tsx';
import { KvnrForm } from '../components/kvnr-form.tsx';
import { NameSearch } from '../components/name-search.tsx';
import { Pseudonym } from '../components/pseudonym.tsx';
import { useLocale } from '../messages/locale.tsx';
import { navigateTo } from '../route.ts';
import { PatientRecord } from './patient-record.tsx';
import { SyncPanel } from './sync-panel.tsx';

interface PatientPageProps {
  readonly patientRef: string | undefined;
  /** False for operators: they may request a sync, but see no data of the patient. */
  readonly mayRead: boolean;
}

export function PatientPage({ patientRef, mayRead }: PatientPageProps) {
  if (patientRef === undefined) return <FindPatient maySearch={mayRead} />;
  return mayRead ? (
    <PatientRecord key={patientRef} patientRef={patientRef} />
  ) : (
    <PatientSync key={patientRef} patientRef={patientRef} />
  );
}

function PatientSync({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  return (
    <>
      <h1 className="quiet-title">{t.pages.patient}</h1>
      <Pseudonym patientRef={patientRef} />
      <SyncPanel patientRef={patientRef} />
      <div className="actions">
        <Button kind="quiet" onPress={() => navigateTo('patient')}>
          {t.patient.another}
        </Button>
      </div>
    </>
  );
}

function FindPatient({ maySearch }: { readonly maySearch: boolean }) {
  const { t } = useLocale();
  return (
    <>
      <section className="card" aria-labelledby="find-title">
        <h1 id="find-title">{t.patient.title}</h1>
        <p className="hint">{t.patient.lead}</p>
        <KvnrForm onFound={(patientRef) => navigateTo('patient', patientRef)} unknown={t.patient.unknown} canAsk />
      </section>
      {maySearch && <NameSearch />}
    </>
  );
}
