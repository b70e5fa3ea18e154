import { type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react';
import { ButtonContext, FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { createPortal } from 'react-dom';
import { reasonMax } from '../../core/domain/line-command.ts';
import type { Messages } from '../messages/de.ts';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';

interface DialogProps {
  readonly trigger: ReactNode;
  readonly title: string;
  readonly text: string;
  /** what a person must read before they confirm, below the text */
  readonly details?: ReactNode;
  readonly confirm: string;
  readonly isDangerous?: boolean;
  /** Texts of the field. By default, it asks for a reason. */
  readonly field?: Messages['reason'];
}

interface ReasonDialogProps extends DialogProps {
  readonly initialReason?: string | undefined;
  /** further fields, below the reason */
  readonly fields?: ReactNode;
  readonly onReason: (reason: string) => void;
}

/** Asks for confirmation and for a reason, which is stored. */
export function ReasonDialog({ onReason, ...ask }: ReasonDialogProps) {
  return (
    <BaseDialog {...ask}>
      {(close) => (
        <ReasonForm
          {...ask}
          onCancel={close}
          onReason={(reason) => {
            close();
            onReason(reason);
          }}
        />
      )}
    </BaseDialog>
  );
}

/** Asks for confirmation. */
export function ConfirmDialog({ onConfirm, ...ask }: DialogProps & { readonly onConfirm: () => void }) {
  const { t } = useLocale();
  return (
    <BaseDialog {...ask}>
      {(close) => (
        <div className="actions">
          <Button kind="quiet" onPress={close} autoFocus>
            {t.back}
          </Button>
          <Button
            kind={ask.isDangerous ? 'danger' : 'primary'}
            onPress={() => {
              close();
              onConfirm();
            }}
          >
            {ask.confirm}
          </Button>
        </div>
      )}
    </BaseDialog>
  );
}

interface BaseDialogProps extends DialogProps {
  readonly children: (close: () => void) => ReactNode;
}

/** Opens when the trigger is pressed. */
function BaseDialog({ trigger, ...ask }: BaseDialogProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <ButtonContext value={{ onPress: () => setOpen(true) }}>{trigger}</ButtonContext>
      {isOpen && createPortal(<OpenDialog {...ask} onClosed={() => setOpen(false)} />, document.body)}
    </>
  );
}

type OpenDialogProps = Omit<BaseDialogProps, 'trigger'> & { readonly onClosed: () => void };

/**
 * The browser's own modal dialog: it keeps the focus inside, makes the rest of the page inert, ends with Escape, and
 * returns the focus to the trigger.
 */
function OpenDialog({ title, text, details, children, onClosed }: OpenDialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []); // before a field asks for the focus
  return (
    <dialog
      ref={dialog}
      className="dialog"
      role="alertdialog"
      aria-labelledby={`${id}title`}
      aria-describedby={`${id}text`}
      onClose={onClosed}
    >
      <h2 id={`${id}title`}>{title}</h2>
      <div id={`${id}text`} className="dialog-text">
        <p>{text}</p>
        {details}
      </div>
      {children(() => dialog.current?.close())}
    </dialog>
  );
}

interface ReasonFormProps extends ReasonDialogProps {
  readonly onCancel: () => void;
}

function ReasonForm({ confirm, isDangerous, initialReason = '', field, fields, onReason, onCancel }: ReasonFormProps) {
  const { t } = useLocale();
  const texts = field ?? t.reason;
  const [reason, setReason] = useState(initialReason);
  return (
    <Form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onReason(reason.trim());
      }}
    >
      <TextField
        className="field"
        value={reason}
        onChange={setReason}
        maxLength={reasonMax}
        isRequired
        autoFocus
        autoComplete="off"
        validate={(text) => (text.trim() === '' ? texts.missing : undefined)}
      >
        <Label>{texts.label}</Label>
        <Input />
        <Text slot="description">{texts.hint}</Text>
        <FieldError>{texts.missing}</FieldError>
      </TextField>
      {fields}
      <div className="actions">
        <Button kind="quiet" onPress={onCancel}>
          {t.back}
        </Button>
        <Button kind={isDangerous ? 'danger' : 'primary'} type="submit">
          {confirm}
        </Button>
      </div>
    </Form>
  );
}
