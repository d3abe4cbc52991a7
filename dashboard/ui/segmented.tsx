import { rove } from './roving.ts';

/** One of a few, all visible: one stop of Tab, and the arrows choose. */
export function Segmented<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}) {
  const at = options.findIndex(([option]) => option === value);
  const choose = (index: number) => {
    const option = options[index];
    if (option !== undefined) onChange(option[0]);
  };
  return (
    <div
      className="segmented"
      role="radiogroup"
      aria-label={label}
      // The options in it have the focus, never the group itself.
      tabIndex={-1}
      data-keeps-arrows
      onKeyDown={(event) => rove(event, at, choose)}
    >
      {options.map(([option, text], index) => (
        <button
          key={option}
          type="button"
          role="radio"
          aria-checked={index === at}
          tabIndex={index === Math.max(0, at) ? 0 : -1}
          onClick={() => onChange(option)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
