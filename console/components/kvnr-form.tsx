import { useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { isKvnr } from '../../core/domain/kvnr.ts';
import { isProblem, useLookup } from '../api/queries.ts';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';
import { Notice, Problem } from './notice.tsx';

/** What is wrong with a number as far as it is typed. */
type InputState = 'nothing' | 'short' | 'shape' | 'check' | 'good';

function inputStateOf(text: string): InputState {
  if (text === '') return 'nothing';
  if (!/^[A-Z][0-9]{0,9}$/.test(text)) return 'shape';
  if (text.length < 10) return 'short';
  return isKvnr(text) ? 'good' : 'check';
}

interface KvnrFormProps {
  onFound(patientRef: string): void;
  /** what is said when there is nobody */
  readonly unknown: string;
}

/** Finds somebody by their number, which leaves in the body only and is forgotten with the answer. */
export function KvnrForm({ onFound, unknown }: KvnrFormProps) {
  const { t } = useLocale();
  const [kvnr, setKvnr] = useState('');
  const lookup = useLookup();
  const typed = inputStateOf(kvnr);
  const words = {
    nothing: undefined,
    short: t.patient.kvnrShort,
    shape: t.patient.kvnrShape,
    check: t.patient.kvnrCheck,
    good: t.patient.kvnrGood,
  };
  const isUnknown = isProblem(lookup.error, 'patient-unknown');
  return (
    <>
      <Form
        className="kvnr-form"
        validationBehavior="aria"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === 'good') lookup.mutate(kvnr, { onSuccess: ({ patientRef }) => onFound(patientRef) });
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
            <span role="status" className={typed === 'good' ? 'valid-text' : 'hint'}>
              {words[typed]}
            </span>
          )}
          <Text slot="description">{t.patient.kvnrHint}</Text>
        </TextField>
        <Button kind="primary" type="submit" isPending={lookup.isPending} isDisabled={typed !== 'good'}>
          {t.patient.find}
        </Button>
      </Form>
      {isUnknown ? <Notice kind="warning">{unknown}</Notice> : <Problem error={lookup.error} />}
    </>
  );
}
