/** What both sides of a comparison answer, so that they send the same bytes. */
export interface Profile {
  readonly id: string
  readonly page: number
  readonly name: string
  readonly tags: readonly string[]
  readonly history: readonly { readonly at: string; readonly event: string; readonly amount: number }[]
}

/** About 1.4 KB as JSON, the size of an ordinary answer of an API. */
export function profile(id: string, page: number): Profile {
  return {
    id,
    page,
    name: 'Ada Lovelace',
    tags: ['mathematics', 'engines', 'poetry'],
    history: Array.from({ length: 20 }, (_, index) => ({ at: '1843-09-01T00:00:00.000Z', event: `note ${index}`, amount: index * 7 })),
  }
}

/** How many rows the table has before the measurement, and how many of them one list shows. */
export const rows = { stored: 2000, listed: 20 } as const

/** The user of the measurement; everything listed belongs to him. */
export const account = { email: 'bench@example.com', password: 'correct horse battery' } as const

/** The headers by which that user signs in. */
export const basic = {
  authorization: `Basic ${Buffer.from(`${account.email}:${account.password}`).toString('base64')}`,
} as const
