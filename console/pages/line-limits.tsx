import { useState } from 'react';
import { FieldError, Input, Label, Text, TextField } from 'react-aria-components';
import { paceMax } from '../../core/domain/gate.ts';
import { useLineCommand, useSetPace } from '../api/queries.ts';
import type { Line } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Problem } from '../components/notice.tsx';
import { ReasonDialog } from '../components/reason-dialog.tsx';
import { useLocale } from '../messages/locale.tsx';

interface LineLimitsProps {
  readonly line: Line;
  readonly isOperator: boolean;
}

/** Shows why nothing is sent although the line is open, and how many requests a minute are allowed. Operators change both. */
export function LineLimits({ line, isOperator }: LineLimitsProps) {
  const { t } = useLocale();
  const lift = useLineCommand('lift');
  const setPace = useSetPace();
  return (
    <div className="limits">
      {line.cooldown && (
        <div className="limit cooldown">
          <CooldownFacts {...line.cooldown} />
          {isOperator && (
            <ReasonDialog
              trigger={
                <Button kind="quiet" isPending={lift.isPending}>
                  {t.line.lift}
                </Button>
              }
              title={t.line.liftTitle}
              text={t.line.liftText}
              confirm={t.line.lift}
              onReason={(reason) => lift.mutate({ reason })}
            />
          )}
        </div>
      )}
      <div className="limit">
        <PaceFacts pace={line.pace} />
        {isOperator && (
          <PaceDialog
            key={line.pace?.requestsPerMinute}
            pace={line.pace}
            isPending={setPace.isPending}
            onPace={(pace) => setPace.mutate(pace)}
          />
        )}
      </div>
      <Problem error={lift.error ?? setPace.error} />
    </div>
  );
}

function CooldownFacts({ reason, until }: NonNullable<Line['cooldown']>) {
  const { t, formats } = useLocale();
  return (
    <p role="status">
      <strong>{t.line.cooldown(formats.moment(until))}</strong> {t.line.cooldownReasons[reason]}
    </p>
  );
}

function PaceFacts({ pace }: { readonly pace: Line['pace'] | undefined }) {
  const { t, formats } = useLocale();
  if (pace === undefined) return <p>{t.line.noPace}</p>;
  const { requestsPerMinute, by, since, reason } = pace;
  return (
    <p>
      {t.line.pace(requestsPerMinute)}{' '}
      {by !== undefined && since !== undefined ? (
        <span className="hint">
          <bdi>{by}</bdi>, <time dateTime={since}>{formats.moment(since)}</time>: <bdi>{reason}</bdi>
        </span>
      ) : (
        <span className="hint">{t.line.defaultPace}</span>
      )}
    </p>
  );
}

interface PaceDialogProps {
  readonly pace: Line['pace'] | undefined;
  readonly isPending: boolean;
  readonly onPace: (pace: { readonly requestsPerMinute: number | null; readonly reason: string }) => void;
}

/** Asks for the pace and a reason. An empty field means that the default applies again. */
function PaceDialog({ pace, isPending, onPace }: PaceDialogProps) {
  const { t } = useLocale();
  const [requests, setRequests] = useState(`${pace?.requestsPerMinute ?? ''}`);
  return (
    <ReasonDialog
      trigger={
        <Button kind="quiet" isPending={isPending}>
          {t.line.setPace}
        </Button>
      }
      title={t.line.paceTitle}
      text={t.line.paceText}
      fields={
        <TextField className="field" type="number" value={requests} onChange={setRequests}>
          <Label>{t.line.paceLabel}</Label>
          <Input min={1} max={paceMax} />
          <Text slot="description">{t.line.paceHint}</Text>
          <FieldError />
        </TextField>
      }
      confirm={t.line.setPace}
      onReason={(reason) => onPace({ requestsPerMinute: requests === '' ? null : Number(requests), reason })}
    />
  );
}
