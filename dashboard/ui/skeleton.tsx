/** Grey rows in the place of a table that is being read. */
export function SkeletonRows({ rows = 8, label }: { rows?: number; label: string }) {
  return (
    <div className="skeleton" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="skeleton-row" data-width={index % 4}>
          <span />
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}
