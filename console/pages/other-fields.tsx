import { fieldsText, type InsurerData } from '../components/insurer-data.ts';
import { useLocale } from '../messages/locale.tsx';

/** Shows fields that have no place of their own, as the insurer sent them. */
export function OtherFields({ of: fields }: { readonly of: InsurerData }) {
  const { t } = useLocale();
  const text = fieldsText(fields);
  if (text === undefined) return null;
  return (
    <details>
      <summary>{t.patient.otherFields}</summary>
      <pre className="raw code" dir="auto">
        {text}
      </pre>
    </details>
  );
}
