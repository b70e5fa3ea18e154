import { useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { isKvnr } from '../../core/domain/kvnr.ts';
import { isProblem, useLookup } from '../api/queries.ts';
import { Button } from '../parts/button.tsx';
import { Notice, Problem } from '../parts/notice.tsx';
import { Pseudonym } from '../parts/pseudonym.tsx';
import { goTo } from '../route.ts';
import { useLocale } from '../texts/locale.tsx';
import { PatientRecord } from './patient-record.tsx';
import { SyncPanel } from './sync-panel.tsx';

interface PatientPageProps {
  readonly patientRef: string | undefined;
  /** an operator may have a patient synced, and sees nothing of them */
  readonly mayRead: boolean;
}

export function PatientPage({ patientRef, mayRead }: PatientPageProps) {
  if (patientRef === undefined) return <FindPatient />;
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
        <Button kind="quiet" onPress={() => goTo('patient')}>
          {t.patient.another}
        </Button>
      </div>
    </>
  );
}

/** What is wrong with a number as far as it is typed. */
type Typed = 'nothing' | 'short' | 'shape' | 'check' | 'good';

export function typedKvnr(text: string): Typed {
  if (text === '') return 'nothing';
  if (!/^[A-Z][0-9]{0,9}$/.test(text)) return 'shape';
  if (text.length < 10) return 'short';
  return isKvnr(text) ? 'good' : 'check';
}

function FindPatient() {
  const { t } = useLocale();
  const [kvnr, setKvnr] = useState('');
  const lookup = useLookup();
  const typed = typedKvnr(kvnr);
  const words = {
    nothing: undefined,
    short: t.patient.kvnrShort,
    shape: t.patient.kvnrShape,
    check: t.patient.kvnrCheck,
    good: t.patient.kvnrGood,
  };
  const isUnknown = isProblem(lookup.error, 'patient-unknown');
  return (
    <section className="card" aria-labelledby="find-title">
      <h1 id="find-title">{t.patient.title}</h1>
      <p className="hint">{t.patient.lead}</p>
      <Form
        className="kvnr-form"
        validationBehavior="aria"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === 'good') lookup.mutate(kvnr, { onSuccess: ({ patientRef }) => goTo('patient', patientRef) });
        }}
      >
        <TextField
          className="field"
          value={kvnr}
          onChange={(text) => {
            setKvnr(text.replace(/\s/g, '').toUpperCase());
            lookup.reset();
          }}
          maxLength={14}
          isInvalid={typed === 'shape' || typed === 'check'}
          autoComplete="off"
          spellCheck="false"
          autoFocus
        >
          <Label>{t.patient.kvnr}</Label>
          <Input className="code" />
          <FieldError>{words[typed]}</FieldError>
          {(typed === 'good' || typed === 'short') && (
            <span role="status" className={typed === 'good' ? 'good-word' : 'hint'}>
              {words[typed]}
            </span>
          )}
          <Text slot="description">{t.patient.kvnrHint}</Text>
        </TextField>
        <Button kind="primary" type="submit" isPending={lookup.isPending} isDisabled={typed !== 'good'}>
          {t.patient.find}
        </Button>
      </Form>
      {isUnknown ? <Notice kind="warning">{t.patient.unknown}</Notice> : <Problem error={lookup.error} />}
    </section>
  );
}
