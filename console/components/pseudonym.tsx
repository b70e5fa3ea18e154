import { useRef, useState } from 'react';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';

export function Pseudonym({ patientRef }: { readonly patientRef: string }) {
  const { t } = useLocale();
  const [isCopied, setIsCopied] = useState(false);
  const code = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(patientRef);
      setIsCopied(true);
    } catch {
      // the browser denies access to the clipboard: select the text instead
      if (code.current) getSelection()?.selectAllChildren(code.current);
    }
  };
  return (
    <p className="pager">
      <span className="hint">{t.patient.ref}</span> <code ref={code}>{patientRef}</code>
      <Button kind="quiet" onPress={() => void copy()}>
        {isCopied ? t.copied : t.copy}
      </Button>
    </p>
  );
}
