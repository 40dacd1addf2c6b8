/** Whether a text is a day of the calendar, `YYYY-MM-DD`, from the year 0001 to 9999. */
export function isCalendarDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) || text.startsWith('0000')) return false
  return existsInCalendar(text)
}

/** The profile of ISO 8601 that JavaScript's own toISOString writes, years beyond 9999 with a sign and six digits (ECMAScript, 21.4.1.32); seconds and fraction are optional; the zone is not, because an instant needs one. */
const instant = /^(\d{4}-\d{2}-\d{2}|[+-]\d{6}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/

/** Whether a text is written as an instant is. */
export function looksLikeInstant(text: string): boolean {
  return instant.test(text)
}

/** Reads an instant that {@link looksLikeInstant}; null when there is no such day or time, or none that a `Date` can hold. What toISOString writes is read as the same instant. */
export function readInstant(text: string): Date | null {
  const [, day = ''] = instant.exec(text) ?? []
  const value = new Date(text)
  return existsInCalendar(day) && !Number.isNaN(value.getTime()) ? value : null
}

/** JavaScript takes February 30th for March 1st or 2nd. */
function existsInCalendar(day: string): boolean {
  // The first day that a Date can hold begins in the middle of the range, so only months and days are looked at.
  const [, year = '', rest = ''] = /^([+-]?\d+)-(\d{2}-\d{2})$/.exec(day) ?? []
  const likeYear = 2000 + (((Number(year) % 400) + 400) % 400)
  const instantOfDay = new Date(`${likeYear}-${rest}T00:00:00Z`)
  return !Number.isNaN(instantOfDay.getTime()) && instantOfDay.toISOString().startsWith(`${likeYear}-${rest}`)
}
