interface ProgressBarProps {
  readonly label: string;
  /** 0 to 100 */
  readonly percent: number;
}

export const ProgressBar = ({ label, percent }: ProgressBarProps) => (
  <div
    className="bar"
    role="progressbar"
    aria-label={label}
    aria-valuemin={0}
    aria-valuemax={100}
    aria-valuenow={Math.floor(percent)}
  >
    <span className="bar-segment done" style={{ width: `${percent}%` }} />
  </div>
);
