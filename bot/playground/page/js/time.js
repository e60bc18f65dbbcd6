// Slack timestamps as people read them, in the browser's own language and zone.

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

const toDate = (ts) => new Date(Number(ts) * 1000);
export const clockTime = (ts) => clock.format(toDate(ts));
export const fullTime = (ts) => full.format(toDate(ts));
export const dayKey = (ts) => toDate(ts).toDateString();

/** "Today", "Yesterday" or the weekday with its date. */
export function dayName(ts) {
  const days = Math.round((startOfDay(new Date()) - startOfDay(toDate(ts))) / 86_400_000);
  if (days === 0) return "Today";
  return days === 1 ? "Yesterday" : day.format(toDate(ts));
}

/** "2 minutes ago", for the last reply of a thread. */
export function ago(ts) {
  const seconds = Number(ts) - Date.now() / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}
