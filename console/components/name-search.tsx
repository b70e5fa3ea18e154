import { useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { hasLetters } from '../../core/domain/name-search.ts';
import { useSearch } from '../api/queries.ts';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';
import { Button } from './button.tsx';
import { Notice, Problem } from './notice.tsx';
import { typedDateMax, typedDateOf } from './typed-date.ts';

const nothing = { birthDate: '', familyName: '', givenName: '' };

/** Finds people by birth date and name, which are sent only in a request body. */
export function NameSearch() {
  const { t, formats } = useLocale();
  const [typed, setTyped] = useState(nothing);
  const [isDateChecked, setDateChecked] = useState(false);
  const search = useSearch();
  const birthDate = typedDateOf(typed.birthDate);
  const isNoDate = isDateChecked && typed.birthDate !== '' && birthDate === undefined;
  const hasName = hasLetters(typed.familyName) || hasLetters(typed.givenName);
  const edit = (change: Partial<typeof nothing>) => {
    setTyped({ ...typed, ...change });
    search.reset(); // hits of another person would look like hits of this one
  };
  const textFor = (field: 'familyName' | 'givenName') => (
    <TextField
      className="field"
      value={typed[field]}
      onChange={(text) => edit({ [field]: text })}
      maxLength={200}
      autoComplete="off"
      spellCheck="false"
    >
      <Label>{t.patient.search[field]}</Label>
      <Input />
    </TextField>
  );
  const { hits, tooMany } = search.data ?? {};
  return (
    <section className="card" aria-labelledby="search-title">
      <h2 id="search-title">{t.patient.search.title}</h2>
      <p className="hint">{t.patient.search.lead}</p>
      <Form
        className="find-form"
        validationBehavior="aria"
        onSubmit={(event) => {
          event.preventDefault();
          setDateChecked(true);
          if (birthDate === undefined) return;
          const { familyName, givenName } = typed;
          search.mutate({
            birthDate,
            ...(hasLetters(familyName) && { familyName }),
            ...(hasLetters(givenName) && { givenName }),
          });
        }}
      >
        <TextField
          className="field"
          value={typed.birthDate}
          onChange={(text) => {
            edit({ birthDate: text });
            setDateChecked(false);
          }}
          onBlur={() => setDateChecked(true)}
          maxLength={typedDateMax}
          isInvalid={isNoDate}
          autoComplete="off"
          spellCheck="false"
        >
          <Label>{t.patient.search.birthDate}</Label>
          <Input />
          <FieldError>{t.patient.search.noDate}</FieldError>
          <Text slot="description">{t.patient.search.birthDateHint}</Text>
        </TextField>
        {textFor('familyName')}
        {textFor('givenName')}
        <Button
          kind="primary"
          type="submit"
          isPending={search.isPending}
          isDisabled={typed.birthDate === '' || !hasName}
        >
          {t.patient.search.submit}
        </Button>
      </Form>
      <Problem error={search.error} />
      {tooMany && <Notice kind="warning">{t.patient.search.tooMany}</Notice>}
      {hits?.length === 0 && !tooMany && <Notice kind="info">{t.patient.search.none}</Notice>}
      {hits !== undefined && hits.length > 0 && (
        <>
          <Notice kind="good">{t.patient.search.found(hits.length)}</Notice>
          <ul>
            {hits.map(({ patientRef, familyName, givenName, birthDate }) => (
              <li key={patientRef}>
                <a href={hrefOf('patient', patientRef)}>{`${familyName}, ${givenName}`}</a> {formats.day(birthDate)}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
