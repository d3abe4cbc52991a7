/** Two bollards and the rope between them. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M3.5 2v12M12.5 2v12M3.5 10c3.2 0 2.6-4.4 5-4.4 1.5 0 1.8 1.2 4 1.2" className="line" />
    </svg>
  );
}
