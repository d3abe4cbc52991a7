/** Rows `start` (included) to `end` (excluded), and the empty space that stands for the others. */
export interface Slice {
  start: number;
  end: number;
  beforePx: number;
  afterPx: number;
}

/** The part of a list of equally high rows that is in view, `overscan` rows more on either side. */
export function windowSlice(view: {
  rows: number;
  rowPx: number;
  top: number;
  height: number;
  overscan: number;
}): Slice {
  const { rows, rowPx, overscan } = view;
  const last = Math.ceil((view.top + view.height) / rowPx);
  const start = Math.max(0, Math.min(Math.floor(view.top / rowPx), rows - Math.ceil(view.height / rowPx)) - overscan);
  const end = Math.min(rows, last + overscan + 4);
  return { start, end, beforePx: start * rowPx, afterPx: (rows - end) * rowPx };
}

/** Where to scroll so that row `index` is wholly in view; the present place where it already is. */
export function scrollTopFor(
  index: number,
  view: { rowPx: number; headPx: number; top: number; height: number },
): number {
  const rowTop = index * view.rowPx;
  if (rowTop < view.top) return rowTop;
  const bottom = rowTop + view.rowPx + view.headPx;
  return bottom > view.top + view.height ? bottom - view.height : view.top;
}
