import { useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { isKvnr, normalKvnr } from '../../core/domain/kvnr.ts';
import { isProblem, useAskInsurer, useLookup } from '../api/queries.ts';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';
import { Notice, Problem } from './notice.tsx';

/** The result of checking what the user has typed so far. */
type InputState = 'empty' | 'short' | 'shape' | 'check' | 'valid';

function inputStateOf(text: string): InputState {
  if (text === '') return 'empty';
  if (!/^[A-Z][0-9]{0,9}$/.test(text)) return 'shape';
  if (text.length < 10) return 'short';
  return isKvnr(text) ? 'valid' : 'check';
}

interface KvnrFormProps {
  onFound(patientRef: string): void;
  /** The message if no patient has this number. */
  readonly unknown: string;
  /** Whether the insurer can be asked about somebody who is not stored. */
  readonly canAsk?: boolean;
}

/** Finds a patient by KVNR. The KVNR is sent only in a request body, and is not kept after the answer. */
export function KvnrForm({ onFound, unknown, canAsk = false }: KvnrFormProps) {
  const { t } = useLocale();
  const [kvnr, setKvnr] = useState('');
  const lookup = useLookup();
  const ask = useAskInsurer();
  const inputState = inputStateOf(kvnr);
  const hints = {
    empty: undefined,
    short: t.patient.kvnrShort,
    shape: t.patient.kvnrShape,
    check: t.patient.kvnrCheck,
    valid: t.patient.kvnrGood,
  };
  const isUnknown = isProblem(lookup.error, 'patient-unknown');
  return (
    <>
      <Form
        className="find-form"
        validationBehavior="aria"
        onSubmit={(event) => {
          event.preventDefault();
          if (inputState === 'valid') lookup.mutate(kvnr, { onSuccess: ({ patientRef }) => onFound(patientRef) });
        }}
      >
        <TextField
          className="field"
          value={kvnr}
          onChange={(text) => {
            setKvnr(normalKvnr(text));
            lookup.reset();
            ask.reset();
          }}
          maxLength={14}
          isInvalid={inputState === 'shape' || inputState === 'check'}
          autoComplete="off"
          spellCheck="false"
          autoFocus
        >
          <Label>{t.patient.kvnr}</Label>
          <Input className="code" />
          <FieldError>{hints[inputState]}</FieldError>
          {(inputState === 'valid' || inputState === 'short') && (
            <span role="status" className={inputState === 'valid' ? 'valid-text' : 'hint'}>
              {hints[inputState]}
            </span>
          )}
          <Text slot="description">{t.patient.kvnrHint}</Text>
        </TextField>
        <Button kind="primary" type="submit" isPending={lookup.isPending} isDisabled={inputState !== 'valid'}>
          {t.patient.find}
        </Button>
      </Form>
      {isUnknown ? (
        <Notice kind="warning">
          <span>{unknown}</span>
          {canAsk && (
            <>
              <span>{t.patient.askHint}</span>
              <Button
                isPending={ask.isPending}
                onPress={() => ask.mutate(kvnr, { onSuccess: ({ patientRef }) => onFound(patientRef) })}
              >
                {t.patient.ask}
              </Button>
            </>
          )}
        </Notice>
      ) : (
        <Problem error={lookup.error} />
      )}
      <Problem error={ask.error} />
    </>
  );
}
