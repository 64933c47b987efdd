/** How long the axis of a timeline is. */

/** A live call's axis grows in steps, so that what is drawn stays where it is in between. */
const HORIZONS_MIN = [2, 5, 10, 20, 40, 60, 90, 120, 180, 240];

/** The axis' length for what is known. */
export function horizonMs(endMs: number, live: boolean): number {
  if (!live) return Math.max(endMs, 1_000);
  return (HORIZONS_MIN.find((minutes) => minutes * 60_000 >= endMs * 1.02) ?? Math.ceil(endMs / 3_600_000) * 60) * 60_000;
}
