import type { UserRow } from '../../db/schema/users-table.js'
import { runOutside } from '../call/call.js'

/** How often users are looked at again, in milliseconds. Whoever may no longer come in is out after twice this time. */
const interval = 4000
/** How many users are read at a time, so that a sweep over many leaves room for requests. */
const batch = 100

/** An answer that goes on, or a connection that does. */
export interface OpenAnswer {
  /** Whether it has ended by itself. */
  isOver(): boolean
  /** Ends it, and lets go of what it is made from. */
  end(): void
}

interface Kept {
  readonly answer: OpenAnswer
  readonly id: string
  readonly epoch: number
  /** What the session is found by in which the user has signed in; null where something else has shown who calls. */
  readonly session: string | null
}

/** What is looked at again. */
export interface OpenAnswersSources {
  /** Reads a user anew; null for one who is gone or disabled. */
  readonly currentUser: (id: string) => Promise<UserRow | null>
  /** Whether a session goes on. */
  readonly isLive: (hash: string) => Promise<boolean>
}

/**
 * Ends what goes on for users once they are gone, disabled or have another password, or the session has ended in which they have signed in. Who calls is found out once, before
 * the answer, which is enough unless the answer takes its time. One timer for all, and none where there is nothing.
 */
export class OpenAnswers {
  readonly #sources: OpenAnswersSources
  readonly #kept = new Set<Kept>()
  #timer: NodeJS.Timeout | null = null
  #isSweeping = false

  constructor(sources: OpenAnswersSources) {
    this.#sources = sources
  }

  /**
   * Watches over an answer until the function that it returns is called, or the answer is over.
   *
   * @param session the hash of the session in which the user has signed in; null where there is none
   */
  keep(user: UserRow, session: string | null, answer: OpenAnswer): () => void {
    const kept: Kept = { answer, id: user.getId(), epoch: user.sessionEpoch, session }
    this.#kept.add(kept)
    // In no call: that of the first would live as long as the timer.
    this.#timer ??= runOutside(() => setInterval(() => void this.#sweep(), interval).unref())
    return () => void this.#kept.delete(kept)
  }

  /** Watches over nothing any more. */
  close(): void {
    this.#kept.clear()
    this.#stop()
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping) return
    this.#isSweeping = true
    try {
      const users = [...this.#byUser()]
      for (let first = 0; first < users.length; first += batch) {
        await Promise.all(users.slice(first, first + batch).map(([id, kept]) => this.#look(id, kept)))
      }
    } finally {
      this.#isSweeping = false
    }
    if (this.#kept.size === 0) this.#stop()
  }

  #byUser(): Map<string, Kept[]> {
    const byUser = new Map<string, Kept[]>()
    for (const kept of this.#kept) {
      const others = byUser.get(kept.id)
      if (kept.answer.isOver()) this.#kept.delete(kept)
      else if (others === undefined) byUser.set(kept.id, [kept])
      else others.push(kept)
    }
    return byUser
  }

  async #look(id: string, answers: readonly Kept[]): Promise<void> {
    let user: UserRow | null
    let ended: ReadonlySet<string | null>
    try {
      user = await this.#sources.currentUser(id)
      ended = await this.#endedAmong(answers)
    } catch {
      // A database that cannot be read says nothing about anybody; the next look will.
      return
    }
    for (const kept of answers) {
      if (user?.sessionEpoch === kept.epoch && !ended.has(kept.session)) continue
      this.#kept.delete(kept)
      kept.answer.end()
    }
  }

  async #endedAmong(answers: readonly Kept[]): Promise<ReadonlySet<string | null>> {
    const ended = new Set<string>()
    for (const session of new Set(answers.map((kept) => kept.session))) {
      if (session !== null && !(await this.#sources.isLive(session))) ended.add(session)
    }
    return ended
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
