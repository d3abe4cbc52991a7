/** Counters and histograms by name; labels are low-cardinality. */
export interface Metrics {
  count(name: string, labels?: Record<string, string>, by?: number): void;
  /** `seconds` of something that took time. */
  observe(name: string, seconds: number, labels?: Record<string, string>): void;
  gauge(name: string, value: number, labels?: Record<string, string>): void;
}
