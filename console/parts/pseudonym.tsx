import { useState } from 'react';
import { useLocale } from '../texts/locale.tsx';
import { Button } from './button.tsx';

export function Pseudonym({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const [isCopied, setIsCopied] = useState(false);
  return (
    <p className="pager">
      <span className="hint">{t.patient.ref}</span> <code>{patientRef}</code>
      <Button kind="quiet" onPress={() => void navigator.clipboard.writeText(patientRef).then(() => setIsCopied(true))}>
        {isCopied ? t.copied : t.copy}
      </Button>
    </p>
  );
}
