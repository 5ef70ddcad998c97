/**
 * For how long tests wait for what must come: less than a test may take, so that it can say what it waited for, and much
 * longer than anything that works takes on a machine ten times slower than this one.
 */
export const PATIENCE_MILLISECONDS = 120_000

/** The same, for `vi.waitFor` and `vi.waitUntil`, which wait for a second if they are not told. */
export const EVENTUALLY: { readonly timeout: number; readonly interval: number } = {
  timeout: PATIENCE_MILLISECONDS,
  interval: 20,
}
